/** A worker through the accidents of its life: links that break, endpoints that die, kill -9, a full disk, leaving. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { environmentValue, processTable } from "../../core/host/processes.ts";
import { killLeftovers } from "../../core/worker/leftovers.ts";
import { readSpool } from "../../core/worker/spool.ts";
import { newTid, Rig, type RigOptions } from "./rig.ts";

const rigs: Rig[] = [];
async function start(options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.start(options);
  rigs.push(rig);
  return rig;
}
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

function processesOf(tid: string): number[] {
  return processTable()
    .filter(({ pid, state }) => state !== "Z" && environmentValue(pid, "GC_TASK_UUID") === tid)
    .map(({ pid }) => pid);
}

describe("when the link breaks", () => {
  test("tasks go on, and their results come with the next link", async () => {
    const rig = await start();
    const tid = rig.submit({ script: "sleep 0.3; echo done" });
    const queued = [1, 2, 3].map(() => rig.submit({ script: "sleep 0.1" }));
    await rig.untilStarted(tid);
    await rig.unlisten();
    await Bun.sleep(500);
    await rig.listen();
    expect((await rig.result(tid)).stdout.text).toBe("done\n");
    for (const other of queued) expect((await rig.result(other)).outcome.class).toBe("ok");
    expect(rig.readies.length).toBe(2);
    expect(rig.readies[1]?.holding.length).toBe(4);
    expect(rig.readies[1]?.pid).toBe(rig.readies[0]?.pid as number);
  });

  test("a result that was not acknowledged is told again, and not after it was", async () => {
    const rig = await start({ acknowledge: false });
    const tid = rig.submit({ argv: ["true"] });
    await rig.result(tid);
    await rig.unlisten();
    await rig.listen();
    await rig.until(() => rig.reports.length === 2);
    expect(rig.readies[1]?.holding).toEqual([{ tid, attempt: 1, phase: "finished" }]);
    rig.send({ t: "result_ack", done: [{ tid, attempt: 1 }] });
    await rig.unlisten();
    await rig.listen();
    await rig.until(() => rig.readies.length === 3);
    expect(rig.readies[2]?.holding).toEqual([]);
    expect(rig.reports.length).toBe(2);
  });

  test("comes back soon when a new endpoint listens, not after a long pause", async () => {
    const rig = await start();
    await rig.unlisten();
    await Bun.sleep(1500);
    const began_ms = performance.now();
    await rig.listen();
    await rig.until(() => rig.readies.length === 2);
    expect(performance.now() - began_ms).toBeLessThan(1500);
  });

  test("leaves when its directory is gone: nobody will ever come back", async () => {
    const rig = await start();
    const tid = rig.submit({ script: "sleep 0.5" });
    await rig.untilStarted(tid);
    await rig.unlisten();
    fs.rmSync(rig.path("w"), { recursive: true });
    expect(await rig.worker?.exited).toBe(0);
  });
});

describe("after kill -9", () => {
  test("the spool has what was told, and what had started; nothing of the tasks is left running", async () => {
    const rig = await start({ acknowledge: false });
    const finished = rig.submit({ script: "echo kept" });
    await rig.result(finished);
    const running = rig.submit({ script: "sleep 302 & setsid sleep 302; wait" });
    await rig.untilStarted(running);
    rig.worker?.kill("SIGKILL");
    await rig.worker?.exited;
    expect(processesOf(running).length).toBeGreaterThan(0);
    await killLeftovers(rig.path("w"), rig.host);
    expect(processesOf(running)).toEqual([]);
    const spool = readSpool(rig.path("w"));
    expect(spool.started).toEqual([{ tid: running, attempt: 1 }]);
    expect(spool.finished.map(({ tid, result }) => [tid, result.stdout.text])).toEqual([[finished, "kept\n"]]);
    expect(fs.readdirSync(rig.path("outputs"))).toEqual([]);
    await rig.until(() => fs.readdirSync(rig.path("sandboxes")).length === 0);
  });

  test("a task that kills its worker is known to have started", async () => {
    const rig = await start();
    const tid = newTid();
    rig.submit({ script: "kill -KILL $PPID; sleep 302" }, tid);
    await rig.worker?.exited;
    expect(readSpool(rig.path("w")).started).toEqual([{ tid, attempt: 1 }]);
  });

  test("no result that was told is ever missing, at whatever moment it comes", async () => {
    for (let round = 0; round < 6; round++) {
      const rig = await start({ acknowledge: false, file: { slots: 4, prefetch: 200 } });
      for (let i = 0; i < 200; i++) rig.submit({ argv: ["true"] });
      await rig.until(() => rig.reports.length > round * 25);
      rig.worker?.kill("SIGKILL");
      await rig.worker?.exited;
      const spooled = new Set(readSpool(rig.path("w")).finished.map(({ tid }) => tid));
      for (const { tid } of rig.reports) expect(spooled.has(tid)).toBe(true);
      await rig.close();
    }
  });

  test("a worker started again in its directory tells what it still has and runs none of it again", async () => {
    const rig = await start({ acknowledge: false });
    const tid = rig.submit({ argv: ["true"] });
    await rig.result(tid);
    rig.worker?.kill("SIGKILL");
    await rig.worker?.exited;
    rig.acknowledge = true;
    rig.spawn();
    await rig.until(() => rig.reports.length === 2);
    rig.submit({ script: `echo x > ${rig.path("again")}` }, tid);
    await rig.run({ argv: ["true"] });
    expect(fs.existsSync(rig.path("again"))).toBe(false);
  });
});

describe("when the disk is full", () => {
  test("no result is told before it is stored, nothing is started, and all goes on once there is room", async () => {
    const wrapper = ["sh", "-c", 'ulimit -S -f 24; exec "$@"', "sh"];
    const rig = await start({ wrapper, acknowledge: false, file: { prefetch: 100 } });
    const tids = Array.from({ length: 60 }, (_, i) => rig.submit({ script: `echo ${i}; head -c 900 /dev/zero` }));
    await rig.until(() => rig.log().includes("spool.cannot_store"));
    await Bun.sleep(300);
    const spooled = new Set(readSpool(rig.path("w")).finished.map(({ tid }) => tid));
    expect(rig.reports.length).toBeLessThan(60);
    for (const { tid } of rig.reports) expect(spooled.has(tid)).toBe(true);
    const before = rig.reports.length;
    await Bun.sleep(1200);
    expect(rig.reports.length).toBe(before);
    Bun.spawnSync(["prlimit", "--pid", String(rig.worker?.pid), "--fsize=unlimited"]);
    for (const [i, tid] of tids.entries()) {
      const { outcome, stdout } = await rig.result(tid);
      expect(outcome.class).toBe("ok");
      expect(Buffer.from(stdout.base64 ?? "", "base64").toString("latin1", 0, 2)).toStartWith(String(i).slice(0, 2));
    }
    expect(rig.reports.length).toBe(60);
  });

  test("a task that cannot be set up ends as our failure, not as its own", async () => {
    const rig = await start();
    fs.rmSync(rig.path("outputs"), { recursive: true });
    fs.writeFileSync(rig.path("outputs"), "not a directory");
    const { outcome } = await rig.run({ argv: ["true"] });
    expect(outcome).toMatchObject({ class: "fail", cause: "storage", exit_code: 125 });
    expect(outcome.reason).toContain("could not be set up");
  });

  test("a task that fills the disk fails by itself, and the worker does not", async () => {
    const wrapper = ["sh", "-c", 'ulimit -S -f 2000; exec "$@"', "sh"];
    const rig = await start({ wrapper });
    const { outcome, stdout } = await rig.run({ script: "exec yes" });
    expect(outcome).toMatchObject({ class: "fail", cause: "signal", signal: "SIGXFSZ" });
    expect(stdout.total).toBe(2000 * 512);
    expect((await rig.run({ argv: ["true"] })).outcome.class).toBe("ok");
  });
});

describe("leaving", () => {
  test("by stop now: interrupts tasks, which count as lost, and ends with 0 once that is acknowledged", async () => {
    const rig = await start();
    const tid = rig.submit({ script: "sleep 302" });
    await rig.untilStarted(tid);
    rig.send({ t: "stop", how: "now" });
    expect((await rig.result(tid)).outcome).toMatchObject({ class: "lost", cause: "lost" });
    expect(await rig.worker?.exited).toBe(0);
    expect(fs.readdirSync(rig.path("sandboxes"))).toEqual([]);
    expect(fs.readdirSync(rig.path("outputs"))).toEqual([]);
  });

  test("by stop drain: lets tasks finish, and takes no more", async () => {
    const rig = await start();
    const tid = rig.submit({ script: "sleep 0.3; echo done" });
    await rig.untilStarted(tid);
    rig.send({ t: "stop", how: "drain" });
    const late = rig.submit({ argv: ["true"] });
    expect((await rig.result(late)).outcome.class).toBe("lost");
    expect((await rig.result(tid)).stdout.text).toBe("done\n");
    expect(await rig.worker?.exited).toBe(0);
  });

  test("by SIGTERM: ends its tasks, leaves the results in the spool, and does not wait for anybody", async () => {
    const rig = await start({ acknowledge: false });
    const tid = rig.submit({ script: "sleep 302" });
    await rig.untilStarted(tid);
    await rig.unlisten();
    rig.worker?.kill("SIGTERM");
    expect(await rig.worker?.exited).toBe(0);
    expect(processesOf(tid)).toEqual([]);
    expect(readSpool(rig.path("w")).finished.map((item) => [item.tid, item.result.outcome.class])).toEqual([
      [tid, "lost"],
    ]);
  });
});

describe("a worker", () => {
  test("is not moved by what its parent ignores: SIGCHLD as some batch launchers do", async () => {
    const rig = await start({ wrapper: ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh"] });
    expect((await rig.run({ script: "true & wait; exit 3" })).outcome.exit_code).toBe(3);
  });

  test("refuses a malformed message by closing the link, and goes on", async () => {
    const rig = await start();
    rig.send({ t: "run", lots: "nonsense" } as never);
    await rig.until(() => rig.readies.length === 2);
    expect((await rig.run({ argv: ["true"] })).outcome.class).toBe("ok");
  });

  test("does not start without its file", async () => {
    const rig = await start();
    rig.worker?.kill("SIGKILL");
    await rig.worker?.exited;
    fs.rmSync(rig.path("w", "worker.json"));
    rig.spawn();
    expect(await rig.worker?.exited).toBe(1);
    expect(rig.log()).toContain("There is no worker.json");
  });
});
