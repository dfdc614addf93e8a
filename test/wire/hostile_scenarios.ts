/** What links promise when the other side has bad manners; run by `link_test.ts` and `compiled_test.ts`. */
import assert from "node:assert/strict";
import { chownSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import { partBytes } from "../../core/limits.ts";
import { encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { type Address, keepLink, listen, openLink, unknownMessage } from "../../core/wire/link.ts";
import { authenticated, failureOf, quick, type Scenario } from "./ground.ts";
import { echo, newUser, openRelay, Witness } from "./parties.ts";

export const hostileScenarios: readonly Scenario[] = [
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
    name: "a socket that another user made is not believed",
    async run(ground) {
      const { path, address } = await ground.echoRelay();
      if (process.getuid?.() !== 0) return; // Only root can play another user.
      chownSync(path, 12_345, 12_345);
      const error = await failureOf(openLink(address, newUser(), new Witness(), ground.host));
      assert.deepEqual([error.kind, error.code], ["permission", "link.foreign_socket"]);
      chownSync(path, 0, 0);
      await openLink(address, newUser(), new Witness(), ground.host);
    },
  },
  {
    name: "600 connections that send noise, before and after auth, do not disturb one that works",
    async run(ground) {
      const { path, address } = await ground.echoRelay();
      const mine = new Witness();
      const link = await openLink(address, newUser(), mine, ground.host);
      let seed = 7;
      const next = (bound: number): number => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        return Math.floor((seed / 2 ** 32) * bound);
      };
      for (let round = 0; round < 20; round++) {
        const noisy = async (at: number): Promise<void> => {
          const raw = at % 2 === 0 ? await ground.raw(path) : await authenticated(ground, path);
          for (let burst = next(4); burst >= 0; burst--) {
            const noise = encodeFrame([
              { t: "mail", bytes: [Uint8Array.from({ length: next(300) }, () => next(256))] },
            ]);
            for (let flips = next(8); flips >= 0; flips--) noise[next(noise.byteLength)] = next(256);
            raw.socket.send(next(5) === 0 ? noise.toString() : noise);
          }
          raw.socket.terminate();
        };
        await Promise.all(Array.from({ length: 30 }, (_, at) => noisy(at)));
        link.send([{ t: "x" }]);
        await mine.until((w) => w.received.length > round, `echo ${round}`);
      }
      assert.equal(mine.downs.length, 0);
    },
  },
];
