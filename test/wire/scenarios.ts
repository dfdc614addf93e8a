/**
 * What links promise over real sockets, as a list: `link_test.ts` runs it from sources, `compiled_test.ts` inside an
 * executable, because there npm `ws` is Bun's own implementation. Each scenario cleans up after itself.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket as RawSocket } from "ws";
import { GcError } from "../../core/errors.ts";
import type { Host } from "../../core/host/host.ts";
import { linkPath } from "../../core/host/websocket.ts";
import { partBytes } from "../../core/limits.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { bufferedMax } from "../../core/wire/connection.ts";
import { type Address, keepLink, listen, openLink, unknownMessage, workerSelf } from "../../core/wire/link.ts";
import type { Timing } from "../../core/wire/session.ts";
import { startFrozen, startHoarder } from "./other_process.ts";
import { echo, newIdentity, newUser, openRelay, quietHost, Witness, workerDoor } from "./parties.ts";

/** A promise of the wire, and how to see it kept. `run` throws when it is broken. */
export interface Scenario {
  name: string;
  run(ground: Ground): Promise<void>;
}

/** What a scenario may use, and what is undone after it. */
export class Ground {
  readonly dir = mkdtempSync(join(tmpdir(), "gc-wire-"));
  readonly host: Host = quietHost();
  readonly #undo: (() => unknown)[] = [];

  socket(name = "x"): string {
    return join(this.dir, `${name}.sock`);
  }

  /** `act` is called at the end, last first. */
  later(act: () => unknown): void {
    this.#undo.push(act);
  }

  async end(): Promise<void> {
    for (const act of this.#undo.reverse()) await act();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A relay on a Unix socket that sends everything back. */
  async echoRelay(timing?: Timing): Promise<{ address: Address; path: string; seen: Witness; relay_id: string }> {
    const relay = newIdentity("relay");
    const seen = new Witness(echo);
    const path = this.socket();
    const listening = await listen({ unix: path }, openRelay(relay), seen, this.host, undefined, timing);
    this.later(() => listening.close());
    return { address: { kind: "unix", path }, path, seen, relay_id: relay.id };
  }

  /** A WebSocket without a session, for bad manners. */
  async raw(path: string, headers: { [name: string]: string } = {}): Promise<Raw> {
    const raw = new Raw(path, headers);
    this.later(() => raw.socket.terminate());
    await raw.opened;
    return raw;
  }
}

/** A raw WebSocket that remembers what it heard. */
export class Raw {
  readonly socket: RawSocket;
  readonly heard: Frameable[] = [];
  readonly opened: Promise<void>;
  readonly ended: Promise<number>;

  constructor(path: string, headers: { [name: string]: string }) {
    this.socket = new RawSocket(`ws+unix://${path}:/${linkPath}`, { headers, perMessageDeflate: false });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", () => resolve());
      this.socket.on("error", reject);
      this.socket.on("unexpected-response", (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
    });
    this.ended = new Promise((resolve) => this.socket.on("close", (code: number) => resolve(code)));
    this.socket.on("message", (data: Buffer) => this.heard.push(...decodeFrame(data)));
  }
}

const quick: Timing = { auth_ms: 150, ping_ms: 100, silence_ms: 300 };

/** The error that `act` ends with. */
export async function failureOf(act: Promise<unknown>): Promise<GcError> {
  try {
    await act;
  } catch (error) {
    assert.ok(error instanceof GcError, `not a GcError: ${String(error)}`);
    return error;
  }
  throw new Error("It did not fail");
}

export const scenarios: readonly Scenario[] = [
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
    name: "a socket that a killed process left is replaced; a live one, and a file, are not",
    async run(ground) {
      const path = ground.socket();
      const dead = Bun.spawn(
        [
          process.execPath,
          "-e",
          `Bun.listen({unix:${JSON.stringify(path)},socket:{data(){}}});process.kill(process.pid,9)`,
        ],
        { env: { ...process.env, BUN_BE_BUN: "1" }, stdout: "ignore", stderr: "ignore" },
      );
      await dead.exited;
      assert.ok(statSync(path).isSocket());
      const listening = await listen({ unix: path }, openRelay(), new Witness(echo), ground.host);
      ground.later(() => listening.close());
      assert.equal(statSync(path).mode & 0o777, 0o600);
      const second = await failureOf(listen({ unix: path }, openRelay(), new Witness(), ground.host));
      assert.equal(second.code, "listen.in_use");
      await openLink({ kind: "unix", path }, newUser(), new Witness(), ground.host);
      writeFileSync(ground.socket("file"), "precious");
      const file = await failureOf(listen({ unix: ground.socket("file") }, openRelay(), new Witness(), ground.host));
      assert.equal(file.code, "listen.in_use");
      const long = join(ground.dir, "x".repeat(120));
      assert.equal(
        (await failureOf(listen({ unix: long }, openRelay(), new Witness(), ground.host))).code,
        "listen.path_too_long",
      );
    },
  },
  {
    name: "what is no link goes to the HTTP handler, and a browser is kept out of the link",
    async run(ground) {
      const path = ground.socket();
      const listening = await listen({ unix: path }, openRelay(), new Witness(), ground.host, (request, from) =>
        Response.json({ path: new URL(request.url).pathname, local: from.local }),
      );
      ground.later(() => listening.close());
      const answer = await fetch("http://localhost/health", { unix: path });
      assert.deepEqual(await answer.json(), { path: "/health", local: true });
      await assert.rejects(ground.raw(path, { origin: "https://evil.example" }), /HTTP 403/);
    },
  },
  {
    name: "a frame above 8 KiB before auth is refused, one above a part is cut off",
    async run(ground) {
      const { path, seen } = await ground.echoRelay();
      const polite = await ground.raw(path);
      polite.socket.send(new Uint8Array(8 * 1024 + 1));
      assert.equal(await polite.ended, 4001);
      assert.deepEqual(
        polite.heard.map((each) => [each.t, (each as { code?: string }).code]),
        [
          ["hello", undefined],
          ["refuse", "wire.too_large"],
        ],
      );
      const rude = await ground.raw(path);
      rude.socket.send(new Uint8Array(partBytes + 1));
      await rude.ended;
      await seen.until((w) => w.downs.length === 2, "two ends");
      assert.equal(seen.ups.length, 0);
    },
  },
  {
    name: "who says nothing is cut off when the time to authenticate is over",
    async run(ground) {
      const { path, seen } = await ground.echoRelay(quick);
      const mute = await ground.raw(path);
      await mute.ended;
      await seen.until((w) => w.downs.length === 1, "the end");
      assert.equal(seen.downs[0]?.reason.code, "link.timeout");
    },
  },
  {
    name: "an opener does not wait for ever for a hello, nor believe what is no gc",
    async run(ground) {
      const path = ground.socket();
      const mute = Bun.serve({
        unix: path,
        fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("?")),
        websocket: { message() {}, open() {} },
      });
      ground.later(() => mute.stop(true));
      const kept = new Witness();
      const link = keepLink({ kind: "unix", path }, newUser(), kept, ground.host, quick);
      ground.later(() => link.stop());
      await kept.until((w) => w.waits.length > 0, "the first failure");
      assert.equal(kept.waits[0]?.reason.code, "link.timeout");
      const web = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello", { status: 404 }) });
      ground.later(() => web.stop(true));
      const url = `http://127.0.0.1:${web.port}`;
      const error = await failureOf(openLink({ kind: "url", url }, newUser(), new Witness(), ground.host));
      assert.deepEqual([error.kind, error.code], ["protocol", "link.not_gc"]);
    },
  },
  {
    name: "a malformed frame on an open session is answered by an error, then the end",
    async run(ground) {
      const { path, seen } = await ground.echoRelay();
      for (const bad of [new Uint8Array([1, 2]), "text"]) {
        const raw = await authenticated(ground, path);
        raw.socket.send(bad);
        assert.equal(await raw.ended, 4000);
        assert.equal((raw.heard.at(-1) as { code?: string } | undefined)?.code, "wire.malformed");
      }
      await seen.until((w) => w.downs.length === 2, "two ends");
      assert.ok(seen.downs.every(({ link }) => link !== undefined));
    },
  },
  {
    name: "after auth a message above a part is cut off, and announced frames are bounded",
    async run(ground) {
      const { path } = await ground.echoRelay();
      const raw = await authenticated(ground, path);
      raw.socket.send(new Uint8Array(partBytes + 1));
      await raw.ended;
      const liar = await authenticated(ground, path);
      liar.socket.send(new Uint8Array([255, 255, 255, 255, 1, 0, 0, 1]));
      assert.equal(await liar.ended, 4000);
      assert.equal((liar.heard.at(-1) as { code?: string } | undefined)?.code, "wire.too_large");
    },
  },
  {
    name: "an unknown message is answered by a typed error and the connection stays",
    async run(ground) {
      const seen = new Witness((link, messages) => link.send(messages.map(unknownMessage)));
      const listening = await listen({ unix: ground.socket() }, openRelay(), seen, ground.host);
      ground.later(() => listening.close());
      const mine = new Witness((link, messages) => link.send(messages.map(unknownMessage)));
      const link = await openLink({ kind: "unix", path: ground.socket() }, newUser(), mine, ground.host);
      link.send([{ t: "from_the_future", rid: 7 } as Frameable, { t: "x".repeat(500) }]);
      await mine.until((w) => w.received.length >= 1, "the answer");
      assert.deepEqual(
        mine.received.map((each) => [each.t, (each as { re?: number }).re, (each as { code?: string }).code]),
        [["error", 7, "message.unknown"]],
      );
      assert.equal(mine.downs.length, 0);
    },
  },
  {
    name: "a receiver that throws loses that link with an error, and no other",
    async run(ground) {
      const seen = new Witness((link, messages) => {
        if (messages[0]?.t === "bomb") throw new GcError("data", "data.invalid", "The bomb is not valid");
        link.send(messages);
      });
      const listening = await listen({ unix: ground.socket() }, openRelay(), seen, ground.host);
      ground.later(() => listening.close());
      const [bad, good] = [new Witness(), new Witness()];
      const address: Address = { kind: "unix", path: ground.socket() };
      const [first, second] = [
        await openLink(address, newUser(), bad, ground.host),
        await openLink(address, newUser(), good, ground.host),
      ];
      first.send([{ t: "bomb" }]);
      await bad.until((w) => w.downs.length === 1, "the end of the first");
      second.send([{ t: "x" }]);
      await good.until((w) => w.received.length === 1, "the echo of the second");
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
  {
    name: "a reader that does not read loses the link before 33 MiB wait for it",
    async run(ground) {
      const { address, seen } = await ground.echoRelay();
      const hoarder = await startHoarder(ground, ground.socket());
      await seen.until((w) => w.ups.length === 1, "the hoarder");
      const [link] = seen.ups;
      assert.ok(link !== undefined);
      hoarder.freeze();
      const before = process.memoryUsage.rss();
      const chunk = new Uint8Array(1024 * 1024);
      let most = 0;
      for (let sent = 0; sent < 200 && seen.downs.length === 0; sent++) {
        link.send([{ t: "chunk", bytes: [chunk] }]);
        most = Math.max(most, link.buffered());
        await Bun.sleep(0);
      }
      await seen.until((w) => w.downs.length === 1, "the end");
      assert.equal(seen.downs[0]?.reason.code, "link.slow");
      assert.match(seen.downs[0]?.reason.message ?? "", /slow/);
      assert.ok(most > 8 * 1024 * 1024 && most <= bufferedMax + 2 * chunk.byteLength, `most waited: ${most}`);
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < 160 * 1024 * 1024, `grew by ${grown}`);
      const other = new Witness();
      const live = await openLink(address, newUser(), other, ground.host);
      live.send([{ t: "x" }]);
      await other.until((w) => w.received.length === 1, "others are served");
    },
  },
  {
    name: "an acceptor that does not read loses its opener in the same way",
    async run(ground) {
      const frozen = await startFrozen(ground, ground.socket());
      const mine = new Witness();
      const link = await openLink({ kind: "unix", path: ground.socket() }, newUser(), mine, ground.host);
      frozen.freeze();
      for (let sent = 0; sent < 200 && mine.downs.length === 0; sent++) {
        link.send([{ t: "chunk", bytes: [new Uint8Array(1024 * 1024)] }]);
        await Bun.sleep(0);
      }
      await mine.until((w) => w.downs.length === 1, "the end");
      assert.equal(mine.downs[0]?.reason.code, "link.slow");
    },
  },
  {
    name: "a frozen peer is noticed by its silence, at either end",
    async run(ground) {
      const frozen = await startFrozen(ground, ground.socket("a"));
      const mine = new Witness();
      const kept = keepLink({ kind: "unix", path: ground.socket("a") }, newUser(), mine, ground.host, {
        ...quick,
        auth_ms: 5000,
      });
      ground.later(() => kept.stop());
      await mine.until((w) => w.ups.length === 1, "the link");
      frozen.freeze();
      await mine.until((w) => w.downs.length > 0, "silence noticed by the opener");
      assert.equal(mine.downs[0]?.reason.code, "link.silent");
      frozen.thaw();
      await mine.until((w) => w.ups.length === 2, "the link is back");

      const seen = new Witness();
      const path = ground.socket("b");
      const listening = await listen({ unix: path }, openRelay(), seen, ground.host, undefined, {
        ...quick,
        auth_ms: 5000,
      });
      ground.later(() => listening.close());
      const hoarder = await startHoarder(ground, path);
      await seen.until((w) => w.ups.length === 1, "the hoarder");
      hoarder.freeze();
      await seen.until((w) => w.downs.length === 1, "silence noticed by the acceptor");
      assert.equal(seen.downs[0]?.reason.code, "link.silent");
    },
  },
  {
    name: "an idle link stays up by pings alone",
    async run(ground) {
      const { address, seen } = await ground.echoRelay(quick);
      const mine = new Witness();
      const kept = keepLink(address, newUser(), mine, ground.host, quick);
      ground.later(() => kept.stop());
      await mine.until((w) => w.ups.length === 1, "the link");
      await Bun.sleep(4 * quick.silence_ms);
      assert.equal(mine.downs.length + seen.downs.length, 0);
      kept.link()?.send([{ t: "x" }]);
      await mine.until((w) => w.received.length === 1, "the echo");
    },
  },
  {
    name: "a kept link comes back after the acceptor restarts, and again, and stops when told",
    async run(ground) {
      const acceptor = openRelay();
      const path = ground.socket();
      const mine = new Witness();
      const kept = keepLink({ kind: "unix", path }, newUser(), mine, ground.host);
      ground.later(() => kept.stop());
      await mine.until((w) => w.waits.length > 0, "the first failure");
      assert.equal(mine.downs[0]?.link, undefined);
      for (let round = 1; round <= 3; round++) {
        const listening = await listen({ unix: path }, acceptor, new Witness(echo), ground.host);
        kept.retryNow();
        await mine.until((w) => w.ups.length === round, `round ${round}`);
        assert.equal(kept.link(), mine.ups[round - 1]);
        await listening.close();
        await mine.until((w) => w.downs.some(({ link }) => link === mine.ups[round - 1]), "the break");
        assert.equal(kept.link(), undefined);
      }
      const listening = await listen({ unix: path }, acceptor, new Witness(echo), ground.host);
      ground.later(() => listening.close());
      kept.stop();
      kept.retryNow();
      const { length } = mine.ups;
      await Bun.sleep(300);
      assert.equal(mine.ups.length, length);
    },
  },
  {
    name: "a kept link that is refused waits about a minute and says why; a repair is noticed by retryNow",
    async run(ground) {
      let closed = true;
      const relay = newIdentity("relay");
      const ordinary = openRelay(relay);
      const acceptor = openRelay(relay, {
        admit(auth, hello, from) {
          if (closed) throw new GcError("permission", "user.unknown", "Nobody knows you");
          return ordinary.admit(auth, hello, from);
        },
      });
      const listening = await listen({ unix: ground.socket() }, acceptor, new Witness(echo), ground.host);
      ground.later(() => listening.close());
      const mine = new Witness();
      const kept = keepLink(() => ({ kind: "unix", path: ground.socket() }), newUser(), mine, ground.host);
      ground.later(() => kept.stop());
      await mine.until((w) => w.waits.length === 1, "the refusal");
      assert.equal(mine.waits[0]?.reason.code, "user.unknown");
      assert.ok((mine.waits[0]?.delay_ms ?? 0) >= 30_000);
      closed = false;
      kept.retryNow();
      await mine.until((w) => w.ups.length === 1, "the repair");
    },
  },
  {
    name: "an address that cannot be told is a failed attempt, not a crash",
    async run(ground) {
      const mine = new Witness();
      const kept = keepLink(
        () => {
          throw new GcError("missing", "context.unknown", 'There is no context "lab"');
        },
        newUser(),
        mine,
        ground.host,
      );
      ground.later(() => kept.stop());
      await mine.until((w) => w.waits.length === 1, "the failure");
      assert.equal(mine.waits[0]?.reason.code, "context.unknown");
    },
  },
  {
    name: "1,000 links are up at the same time and all are served",
    async run(ground) {
      const { address, seen } = await ground.echoRelay();
      const mine = new Witness();
      const self = newUser();
      const links = [];
      for (let batch = 0; batch < 10; batch++) {
        const opening = Array.from({ length: 100 }, () => openLink(address, self, mine, ground.host));
        links.push(...(await Promise.all(opening)));
      }
      assert.equal(seen.ups.length, 1000);
      assert.equal(new Set(links.map((link) => link.session)).size, 1000);
      for (const link of links) link.send([{ t: "x" }]);
      await mine.until((w) => w.received.length === 1000, "1,000 echoes");
      for (const link of links) link.close();
      await seen.until((w) => w.downs.length === 1000, "1,000 ends");
    },
  },
];

/** A raw WebSocket whose session is up. */
async function authenticated(ground: Ground, path: string): Promise<Raw> {
  const raw = await ground.raw(path);
  const self = newUser();
  await heard(raw, "hello");
  const hello = raw.heard[0] as unknown as Parameters<typeof self.prove>[0];
  const { role, id, record, instance } = self;
  const auth = { t: "auth", proto: 1, role, id, record, instance, proof: self.prove(hello, 1), software: "raw" };
  raw.socket.send(encodeFrame([auth as Frameable]));
  await heard(raw, "welcome");
  return raw;
}

async function heard(raw: Raw, t: string): Promise<void> {
  while (!raw.heard.some((each) => each.t === t)) {
    await new Promise<void>((resolve) => raw.socket.once("message", () => resolve()));
  }
}
