/** Every acknowledgement comes after the fsync that makes it true; who does not wait for the disk is caught. */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Batch } from "./load.ts";
import { type Checked, checkEndpoint, checkRelay, checkWorker } from "./sync_order.ts";
import { straceMissing, Trace } from "./trace.ts";
import { World } from "./world.ts";

const missing = straceMissing();
if (missing !== undefined) console.log(`SKIPPED: the order of fsync and acknowledgement (${missing})`);

const worlds: World[] = [];
afterAll(async () => {
  for (const world of worlds) await world.close();
}, 20_000);

/** A world that works while strace looks at its daemons. */
async function traced(envelopes: number, planted: string): Promise<{ [role: string]: Checked }> {
  const world = await World.open();
  worlds.push(world);
  await world.gc(["endpoint", "configure", "ep", "--yes", "--slots", "4"]);
  world.env.GC_PLANTED = planted;
  await world.gc(["relay", "up", "-d"]);
  await world.gc(["endpoint", "start", "-d", "ep"]);
  // The first task makes the worker.
  await world.gc(["run", "-e", "ep", "--", "true"]);
  const look = async (role: "relay" | "endpoint" | "worker"): Promise<Trace> =>
    Trace.of((await world.daemon(role)).pid, join(world.folder, `${role}.trace`));
  const [relay, endpoint, worker] = [await look("relay"), await look("endpoint"), await look("worker")];

  const batches = Array.from({ length: envelopes }, () => new Batch(world, "ep", [0, 0, 0, 0]));
  const waiting = [...batches];
  const lane = async (): Promise<void> => {
    for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
      await world.gc(batch.submitArgs());
      await batch.fetchAll();
    }
  };
  await Promise.all([lane(), lane(), lane()]);

  return {
    relay: checkRelay(await relay.end()),
    endpoint: checkEndpoint(await endpoint.end()),
    worker: checkWorker(await worker.end()),
  };
}

describe.skipIf(missing !== undefined)("fsync", () => {
  test("comes before every acknowledgement of relay, endpoint and worker", async () => {
    const envelopes = 30;
    const checked = await traced(envelopes, "");
    const counts = Object.assign({}, ...Object.values(checked).map((each) => each.counts)) as Checked["counts"];
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const text = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`);
    console.log(`acknowledgements ${total} (${text.join(", ")})`);
    expect(Object.values(checked).flatMap((each) => each.violations)).toEqual([]);
    for (const kind of ["submitted", "mail_ack", "stored"]) expect(counts[kind]).toBeGreaterThanOrEqual(envelopes);
    for (const kind of ["run", "report", "result_ack"]) expect(counts[kind]).toBeGreaterThanOrEqual(4 * envelopes);
    expect(total).toBeGreaterThanOrEqual(300);
  }, 60_000);

  test("is missed at a relay with synchronous=OFF", async () => {
    const { relay, endpoint, worker } = await traced(3, "synchronousOff");
    expect(relay?.violations.length).toBeGreaterThanOrEqual(6);
    expect(relay?.violations.length).toBe((relay?.counts.submitted ?? 0) + (relay?.counts.stored ?? 0));
    expect([...(endpoint?.violations ?? []), ...(worker?.violations ?? [])]).toEqual([]);
  }, 60_000);

  test("is missed at an endpoint that answers before its journal is written", async () => {
    const { relay, endpoint, worker } = await traced(3, "epAckBeforeStore,attemptNotPersisted,resultMemOnly");
    const kinds = new Set(endpoint?.violations.map((text) => text.split(" ")[0]));
    expect([...kinds].sort()).toEqual(["mail_ack", "result_ack", "run"]);
    expect([...(relay?.violations ?? []), ...(worker?.violations ?? [])]).toEqual([]);
  }, 60_000);
});
