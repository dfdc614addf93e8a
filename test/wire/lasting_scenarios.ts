/** What links promise over time: slow and frozen peers, restarts, crowds (`link_test.ts`, `compiled_test.ts`). */
import assert from "node:assert/strict";
import { GcError } from "../../core/errors.ts";
import { bufferedMax } from "../../core/wire/connection.ts";
import { keepLink, listen, openLink } from "../../core/wire/link.ts";
import { quick, type Scenario } from "./ground.ts";
import { startFrozen, startHoarder } from "./other_process.ts";
import { echo, newIdentity, newUser, openRelay, Witness } from "./parties.ts";

export const lastingScenarios: readonly Scenario[] = [
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
