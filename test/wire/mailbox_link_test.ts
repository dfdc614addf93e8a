/** The session of a worker over a shared folder: the same handshake and the same secret as over the network. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { keepLink, type Listening, listenToMailboxes, openLink, workerSelf } from "../../core/wire/link.ts";
import { Ground } from "./ground.ts";
import { echo, Witness, workerDoor } from "./parties.ts";

const secret = Buffer.alloc(32, 7).toString("base64url");
let ground = new Ground();
afterEach(async () => {
  await ground.end();
  ground = new Ground();
});

async function begin(): Promise<{ path: string; listening: Listening; seen: Witness }> {
  const path = join(ground.dir, "mail");
  mkdirSync(path, { mode: 0o700 });
  const seen = new Witness(echo);
  const listening = await listenToMailboxes(() => [path], workerDoor(secret), seen, ground.host);
  ground.later(() => listening.close());
  return { path, listening, seen };
}

test("a worker that knows the secret of its block talks through the folder, in frames of any size", async () => {
  const { path, seen } = await begin();
  const own = new Witness();
  const link = await openLink({ kind: "mailbox", path }, workerSelf("w1", secret, { instance: "i" }), own, ground.host);
  const large: Frameable = { t: "large", bytes: [new Uint8Array(3 * 1024 * 1024).fill(9)] };
  link.send([{ t: "small" }, large]);
  await own.until(({ received }) => received.length === 2, "the echo");
  expect(own.received[0]).toEqual({ t: "small" });
  expect(own.received[1]).toEqual(large);
  expect(seen.ups[0]?.peer).toMatchObject({ role: "worker", id: "w1", local: false });
  link.close();
  await seen.until(({ downs }) => downs.length === 1, "its end");
});

test("who does not know the secret is refused, whatever it may write into the folder", async () => {
  const { path, seen } = await begin();
  const wrong = workerSelf("w1", Buffer.alloc(32, 8).toString("base64url"), { instance: "i" });
  const refused = openLink({ kind: "mailbox", path }, wrong, new Witness(), ground.host).catch((error) => error);
  expect(await refused).toBeInstanceOf(GcError);
  expect((await refused).code).toBe("auth.bad_proof");
  expect(seen.ups).toEqual([]);
});

test("a link through a folder comes back after its acceptor went away and another one came", async () => {
  const { path, listening } = await begin();
  const own = new Witness();
  const kept = keepLink({ kind: "mailbox", path }, workerSelf("w1", secret, { instance: "i" }), own, ground.host);
  ground.later(() => kept.stop());
  await own.until(({ ups }) => ups.length === 1, "the first link");
  await listening.close();
  await own.until(({ downs }) => downs.length > 0, "its end");
  const next = await listenToMailboxes(() => [path], workerDoor(secret), new Witness(echo), ground.host);
  ground.later(() => next.close());
  await own.until(({ ups }) => ups.length === 2, "the second link");
  kept.link()?.send([{ t: "hello again" }]);
  await own.until(({ received }) => received.length === 1, "the echo");
});
