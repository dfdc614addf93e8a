/** What links promise over Unix sockets in good times; run by `link_test.ts` and `compiled_test.ts`. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import type { Host } from "../../core/host/host.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { type Address, listen, openLink, workerSelf } from "../../core/wire/link.ts";
import { failureOf, type Scenario } from "./ground.ts";
import { echo, newUser, openRelay, Witness, workerDoor } from "./parties.ts";

export const talkingScenarios: readonly Scenario[] = [
  {
    name: "messages travel both ways over a Unix socket, in order, with their blobs",
    async run(ground) {
      const { address, seen, relay_id } = await ground.echoRelay();
      const mine = new Witness();
      const self = newUser();
      const link = await openLink(address, self, mine, ground.host);
      assert.deepEqual([link.peer.role, link.peer.id, link.peer.local], ["relay", relay_id, true]);
      assert.deepEqual([link.epoch, link.limits, link.features], ["epoch-1", { window: 64 }, ["live"]]);
      assert.deepEqual([seen.ups[0]?.peer.id, seen.ups[0]?.session], [self.id, link.session]);
      for (let at = 0; at < 100; at++) {
        link.send([{ t: "n", at, bytes: [new Uint8Array([at]), new Uint8Array(at)] } as Frameable]);
        if (at % 7 === 0) await Bun.sleep(0);
      }
      await mine.until((w) => w.received.length === 100, "100 echoes");
      for (const [at, message] of mine.received.entries()) {
        assert.equal((message as Frameable & { at: number }).at, at);
        assert.deepEqual(
          message.bytes?.map((blob) => [...blob]),
          [[at], [...new Uint8Array(at)]],
        );
      }
    },
  },
  {
    name: "sends of one turn leave as one frame, and nothing waits for a timer",
    async run(ground) {
      const { address, seen } = await ground.echoRelay();
      const mine = new Witness();
      const link = await openLink(address, newUser(), mine, ground.host);
      for (let at = 0; at < 500; at++) link.send([{ t: "n" }]);
      assert.ok(link.buffered() > 500 * 8);
      await mine.until((w) => w.received.length === 500, "500 echoes");
      assert.equal(seen.batches, 1);
      assert.equal(link.buffered(), 0);
    },
  },
  {
    name: "a message and its answer over a Unix socket take less than a millisecond: nothing waits for a timer",
    async run(ground) {
      const { address } = await ground.echoRelay();
      const took_ms: number[] = [];
      let answered = (): void => {};
      const link = await openLink(address, newUser(), new Witness(() => answered()), ground.host);
      for (let at = 0; at < 2000; at++) {
        const begun_ms = performance.now();
        const answer = new Promise<void>((resolve) => {
          answered = resolve;
        });
        link.send([{ t: "x" }]);
        await answer;
        took_ms.push(performance.now() - begun_ms);
      }
      const median_ms = took_ms.sort((a, b) => a - b)[1000] ?? Number.NaN;
      assert.ok(median_ms < 0.5, `median ${median_ms} ms`);
    },
  },
  {
    name: "a body of 10 MiB arrives whole, and a message beyond 16 MiB is refused to the sender",
    async run(ground) {
      const { address } = await ground.echoRelay();
      const mine = new Witness();
      const link = await openLink(address, newUser(), mine, ground.host);
      const body = Uint8Array.from({ length: 10 * 1024 * 1024 }, (_, at) => (at * 31) % 253);
      link.send([{ t: "a" }, { t: "big", bytes: [body] }, { t: "z" }]);
      await mine.until((w) => w.received.length === 3, "the echo of 10 MiB");
      assert.deepEqual(
        mine.received.map(({ t }) => t),
        ["a", "big", "z"],
      );
      assert.equal(Buffer.compare(mine.received[1]?.bytes?.[0] as Uint8Array, body), 0);
      assert.throws(
        () => link.send([{ t: "a" }, { t: "big", bytes: [new Uint8Array(16 * 1024 * 1024)] }]),
        (error: unknown) => error instanceof GcError && error.code === "wire.too_large",
      );
      link.send([{ t: "after" }]);
      await mine.until((w) => w.received.length === 4, "life after the refusal");
      assert.equal(mine.received[3]?.t, "after");
    },
  },
  {
    name: "a worker proves the secret of its block, and a wrong secret is refused",
    async run(ground) {
      const secret = Buffer.alloc(32, 7).toString("base64url");
      const seen = new Witness(echo);
      const listening = await listen({ unix: ground.socket() }, workerDoor(secret), seen, ground.host);
      ground.later(() => listening.close());
      const address: Address = { kind: "unix", path: ground.socket() };
      const link = await openLink(address, workerSelf("w1", secret, { instance: "i" }), new Witness(), ground.host);
      assert.deepEqual([link.peer.role, link.peer.id, seen.ups[0]?.peer.id], ["endpoint", "endpoint-1", "w1"]);
      const other = Buffer.alloc(32, 8).toString("base64url");
      const error = await failureOf(
        openLink(address, workerSelf("w1", other, { instance: "i" }), new Witness(), ground.host),
      );
      assert.deepEqual([error.kind, error.code], ["permission", "auth.bad_proof"]);
    },
  },
  {
    name: "a refusal reaches who wanted in, and the acceptor hears of the failed attempt",
    async run(ground) {
      const seen = new Witness();
      const acceptor = openRelay(undefined, {
        admit() {
          throw new GcError("permission", "user.unknown", "Nobody knows you", { hint: "gc login INVITE" });
        },
      });
      const listening = await listen({ unix: ground.socket() }, acceptor, seen, ground.host);
      ground.later(() => listening.close());
      const attempt = openLink({ kind: "unix", path: ground.socket() }, newUser(), new Witness(), ground.host);
      const error = await failureOf(attempt);
      assert.deepEqual(
        [error.kind, error.code, error.message, error.hint],
        ["permission", "user.unknown", "Nobody knows you", "gc login INVITE"],
      );
      await seen.until((w) => w.downs.length === 1, "the acceptor's down");
      assert.equal(seen.downs[0]?.link, undefined);
    },
  },
  {
    name: "a clock that is wrong by a day, on either side, changes nothing",
    async run(ground) {
      const skewed: Host = {
        ...ground.host,
        clock: { ...ground.host.clock, now: () => Date.now() - 86_400_000 },
      };
      const ahead: Host = { ...ground.host, clock: { ...ground.host.clock, now: () => Date.now() + 86_400_000 } };
      const listening = await listen({ unix: ground.socket() }, openRelay(), new Witness(echo), ahead);
      ground.later(() => listening.close());
      const mine = new Witness();
      const link = await openLink({ kind: "unix", path: ground.socket() }, newUser(), mine, skewed);
      link.send([{ t: "x" }]);
      await mine.until((w) => w.received.length === 1, "the echo");
    },
  },
  {
    name: "nothing listening is unavailable, by name",
    async run(ground) {
      for (const address of [
        { kind: "unix", path: ground.socket("none") },
        { kind: "url", url: "http://127.0.0.1:1" },
      ] as const) {
        const error = await failureOf(openLink(address, newUser(), new Witness(), ground.host));
        assert.deepEqual([error.kind, error.code], ["unavailable", "link.unreachable"]);
        assert.match(error.message, /nothing listens there$/);
      }
    },
  },
  {
    name: "a path with a colon, a blank or a percent sign is an ordinary path",
    async run(ground) {
      const dir = join(ground.dir, "a:b c%20d");
      mkdirSync(dir);
      const path = join(dir, "s.sock");
      const listening = await listen({ unix: path }, openRelay(), new Witness(echo), ground.host);
      ground.later(() => listening.close());
      const link = await openLink({ kind: "unix", path }, newUser(), new Witness(), ground.host);
      assert.equal(link.peer.role, "relay");
    },
  },
  {
    name: "close() sends what was queued, is told once at each end, and is quiet afterwards",
    async run(ground) {
      const { address, seen } = await ground.echoRelay();
      const mine = new Witness();
      const link = await openLink(address, newUser(), mine, ground.host);
      link.send([{ t: "last words" }]);
      link.close("enough");
      assert.equal(mine.downs.length, 0, "never from within close");
      link.close("again");
      link.send([{ t: "too late" }]);
      await seen.until((w) => w.downs.length === 1, "the other end");
      assert.deepEqual(
        seen.received.map(({ t }) => t),
        ["last words"],
      );
      assert.match(seen.downs[0]?.reason.message ?? "", /enough/);
      assert.equal(mine.downs.length, 1);
    },
  },
];
