/** Tasks of a real worker that shares out processors, accelerators and memory. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { libc } from "../../core/host/libc.ts";
import { createLog } from "../../core/host/log.ts";
import { Pinning } from "../../core/worker/pinning.ts";
import { newTid, Rig, type RigOptions } from "./rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function worker(options: RigOptions): Promise<Rig> {
  rig = await Rig.start(options);
  return rig;
}

const cpus = libc()?.affinity() ?? [];
const mask = "grep Cpus_allowed_list /proc/self/status | cut -f2";
const devices = 'echo "$CUDA_VISIBLE_DEVICES|$ROCR_VISIBLE_DEVICES|$ZE_AFFINITY_MASK"';
/** A task that runs until the file `go` is there. */
const waits = (go: string, more: string): string => `${more}; while [ ! -e ${go} ]; do sleep 0.02; done`;

describe("processors", () => {
  test.skipIf(cpus.length < 2)("two tasks at a time are bound to different ones", async () => {
    const w = await worker({ file: { slots: 2, cpu_affinity: "block" } });
    const go = w.path("go");
    const tids = [0, 1].map(() => w.submit({ script: waits(go, `${mask}; echo $OMP_NUM_THREADS`) }));
    for (const tid of tids) await w.untilStarted(tid);
    fs.writeFileSync(go, "");
    const said: string[] = [];
    for (const tid of tids) said.push((await w.result(tid)).stdout.text?.trim() ?? "");
    const each = Math.floor(cpus.length / 2);
    const lists = said.map((text) => text.split("\n")[0]);
    expect(new Set(lists).size).toBe(2);
    for (const text of said) expect(text.split("\n")[1]).toBe(String(each));
    if (cpus.length === 2) expect(lists.toSorted()).toEqual(cpus.map(String));
  });

  test.skipIf(cpus.length < 2)("the worker itself and tasks that are not bound keep all", async () => {
    const w = await worker({ file: { slots: 1, cpu_affinity: `list:${cpus[1]}` } });
    expect((await w.run({ script: mask })).stdout.text?.trim()).toBe(String(cpus[1]));
    const status = fs.readFileSync(`/proc/${w.worker?.pid}/status`, "latin1");
    expect(status).toContain(`Cpus_allowed_list:\t${cpus.length === 2 ? `${cpus[0]}-${cpus[1]}` : ""}`);
  });

  test("a list that names a processor which is not ours binds nobody, and the log says so once", async () => {
    const w = await worker({ file: { slots: 1, cpu_affinity: "list:8000" } });
    expect((await w.run({ argv: ["true"] })).outcome.class).toBe("ok");
    expect(w.log().split("worker.not_bound").length).toBe(2);
    expect(w.log()).toContain("processor 8000 of group 0 is not ours");
  });
});

test("without the system call, tasks are bound by the program taskset", () => {
  const log = createLog(() => {}, "error", Date.now);
  const prefix = new Pinning(log, process.env.PATH, undefined).bound([0], (words) => words);
  expect(prefix.map((word) => word.replace(/^.*\//, ""))).toEqual(["taskset", "-c", "0"]);
  const lines: string[] = [];
  const none = new Pinning(
    createLog((line) => void lines.push(line), "info", Date.now),
    "/nowhere",
    undefined,
  );
  for (let i = 0; i < 3; i++) expect(none.bound([0, 1], (words) => words)).toEqual([]);
  expect(lines).toHaveLength(1);
});

describe("accelerators", () => {
  const file = { slots: 3, resources: { gpus: 3 }, accelerators: ["4", "5", "6"] };

  test("two running tasks never have the same one, and what ends gives back", async () => {
    const w = await worker({ file: { ...file, accelerator_each: true } });
    const go = w.path("go");
    const two = w.submit({ script: waits(go, devices), resources: { gpus: 2 } });
    const one = w.submit({ script: waits(go, devices) });
    await w.untilStarted(two);
    await w.untilStarted(one);
    // There is a slot for it, but no accelerator.
    const next = w.submit({ script: devices, resources: { gpus: 1 } });
    fs.writeFileSync(go, "");
    const [first, second, last] = [await w.result(two), await w.result(one), await w.result(next)];
    expect(first.stdout.text).toBe("4,5|4,5|4,5\n");
    expect(second.stdout.text).toBe("6|6|6\n");
    expect(last.stdout.text).toMatch(/^(4|6)\|/);
    expect(last.started_ms).toBeGreaterThanOrEqual(Math.min(first.ended_ms, second.ended_ms));
  });

  test("come back however a task ends", async () => {
    const w = await worker({ file: { ...file, accelerator_each: true } });
    const all = { resources: { gpus: 3 } };
    await w.run({ argv: ["no-such-command"], ...all });
    await w.run({ argv: ["true"], cwd: "/no/such/dir", ...all });
    await w.run({ script: "kill -KILL $$", ...all });
    await w.run({ script: "sleep 60", walltime_s: 0.1, grace_s: 0.1, ...all });
    const cancelled = w.submit({ script: "sleep 60", ...all });
    await w.untilStarted(cancelled);
    w.send({ t: "cancel", tid: cancelled, attempt: 1, cause: "cancel" });
    await w.result(cancelled);
    expect((await w.run({ script: devices, ...all })).stdout.text).toStartWith("4,5,6|");
  });

  test("a task may not ask for more than there are", async () => {
    const w = await worker({ file });
    const { outcome } = await w.run({ argv: ["true"], resources: { gpus: 4 } });
    expect(outcome).toMatchObject({ cause: "refused", exit_code: 125 });
  });

  test("who asks for none sees what it would without us, unless each task gets one", async () => {
    const env = { CUDA_VISIBLE_DEVICES: "4,5,6" };
    const lent = await worker({ file, env });
    expect((await lent.run({ script: devices })).stdout.text).toBe("4,5,6||\n");
    await lent.close();
    const each = await worker({ file: { ...file, accelerator_each: true }, env });
    expect((await each.run({ script: devices, resources: { gpus: 0 } })).stdout.text).toBe("||\n");
  });
});

describe("memory", () => {
  test("a task above the amount that it named is ended, and told why", async () => {
    const w = await worker({ file: { resources: { memory_mib: 1024 } } });
    // `tail` holds what it reads; nothing here has all of it but the task as a whole.
    const script = "head -c 90M /dev/zero | tail -c 90M | sleep 60";
    const { outcome } = await w.run({ script, resources: { memory_mib: 64 } });
    expect(outcome).toMatchObject({ class: "fail", cause: "memory", exit_code: 137, signal: "SIGKILL" });
    expect(outcome.reason).toMatch(/^It used \d+ MiB of memory, more than the 64 MiB that it asked for/);
    expect(w.log()).not.toContain("ERROR");
  });

  test("a task below it is left alone, and so is one that named none", async () => {
    const w = await worker({ file: { resources: { memory_mib: 1024 } } });
    const script = "head -c 90M /dev/zero | tail -c 90M | (sleep 1.5; cat) | wc -c";
    const named = w.submit({ script, resources: { memory_mib: 256 } }, newTid());
    const free = w.submit({ script }, newTid());
    for (const tid of [named, free]) expect((await w.result(tid)).stdout.text?.trim()).toBe(String(90 * 1024 * 1024));
  });

  test("what tasks named together never exceeds what there is", async () => {
    const w = await worker({ file: { slots: 3, resources: { memory_mib: 300 }, memory_mib_per_slot: 100 } });
    const go = w.path("go");
    const large = w.submit({ script: waits(go, ":"), resources: { memory_mib: 200 } });
    const plain = w.submit({ script: waits(go, ":") });
    await w.untilStarted(large);
    await w.untilStarted(plain);
    // A third slot is free, and its share of memory is not.
    const third = w.submit({ script: `test -e ${go}` });
    fs.writeFileSync(go, "");
    expect((await w.result(third)).outcome.class).toBe("ok");
  });
});
