/** What a worker decides, without any process: each test tells it what happened and looks at what it would do. */
import { describe, expect, test } from "bun:test";
import type { Decision } from "../../core/host/turn.ts";
import { gather_ms, gatherBatch_ms } from "../../core/limits.ts";
import { plant } from "../../core/planted.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { ToWorker } from "../../core/schema/worker_message.ts";
import type { Exit, FinishedAttempt } from "../../core/worker/attempt.ts";
import { keyOf } from "../../core/worker/attempt.ts";
import type { Harvest, WorkerEffect, WorkerEvent, WorkerRecord } from "../../core/worker/decision.ts";
import { WorkerState } from "../../core/worker/state.ts";

const facts = { host: "h", pid: 1, slots: 2, prefetch: 4, resources: {} };
const nothing: Harvest = { stdout: { total: 0, kept: 0 }, stderr: { total: 0, kept: 0 } };
const tidOf = (n: number): string => `aaaaaaaa-0000-8000-8000-${String(n).padStart(12, "0")}`;

/** A worker at a time that the test sets; gathers effects by kind. */
class Desk {
  readonly state: WorkerState;
  now_ms = 1000;

  constructor(over: Partial<typeof facts> & { resources?: object } = {}, finished: FinishedAttempt[] = []) {
    this.state = new WorkerState({ ...facts, ...over }, finished);
  }

  get now(): { wall_ms: number; mono_ms: number } {
    return { wall_ms: this.now_ms + 1e12, mono_ms: this.now_ms };
  }

  push(...events: WorkerEvent[]): Decision<WorkerRecord, WorkerEffect> {
    const out: Decision<WorkerRecord, WorkerEffect> = { records: [], effects: [] };
    for (const event of events) this.state.decide(event, out);
    return out;
  }

  hear(...messages: ToWorker[]): Decision<WorkerRecord, WorkerEffect> {
    return this.push({ t: "messages", messages, now: this.now });
  }

  run(spec: TaskSpec, ...tids: string[]): Decision<WorkerRecord, WorkerEffect> {
    return this.hear({ t: "run", lots: [{ base: spec, tasks: tids.map((tid) => ({ tid, attempt: 1 })) }] });
  }

  started(tid: string, attempt = 1): Decision<WorkerRecord, WorkerEffect> {
    return this.push({ t: "started", key: keyOf(tid, attempt), now: this.now });
  }

  ended(tid: string, exit: Partial<Exit> = { code: 0 }, attempt = 1): Decision<WorkerRecord, WorkerEffect> {
    const whole = { code: null, signal: null, ...exit };
    return this.push({ t: "ended", key: keyOf(tid, attempt), exit: whole, harvest: nothing, now: this.now });
  }
}

const kinds = (out: Decision<WorkerRecord, WorkerEffect>): string[] => out.effects.map(({ t }) => t);
const startsIn = (out: Decision<WorkerRecord, WorkerEffect>): string[] =>
  out.effects.flatMap((effect) => (effect.t === "start" ? [effect.tid] : []));
const toldIn = (out: Decision<WorkerRecord, WorkerEffect>): FinishedAttempt[] =>
  out.effects.flatMap((effect) => (effect.t === "report" ? effect.finished : []));
const outcomeIn = (out: Decision<WorkerRecord, WorkerEffect>) => toldIn(out)[0]?.result.outcome;
const argv: TaskSpec = { argv: ["true"] };

describe("taking and starting", () => {
  test("starts as many as there are slots, in order, and the next when one ends", () => {
    const desk = new Desk();
    expect(startsIn(desk.run(argv, tidOf(1), tidOf(2), tidOf(3)))).toEqual([tidOf(1), tidOf(2)]);
    expect(startsIn(desk.ended(tidOf(1)))).toEqual([tidOf(3)]);
  });

  test("runs the same attempt once, however often its message comes, before, while and after it runs", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1));
    expect(startsIn(desk.run(argv, tidOf(1), tidOf(2)))).toEqual([]);
    desk.ended(tidOf(1));
    const again = desk.run(argv, tidOf(1));
    expect(startsIn(again)).toEqual([]);
    desk.hear({ t: "result_ack", done: [{ tid: tidOf(1), attempt: 1 }] });
    expect(startsIn(desk.run(argv, tidOf(1)))).toEqual([]);
  });

  test("tells the result again when the message of a finished attempt comes again", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    expect(toldIn(desk.ended(tidOf(1)))).toHaveLength(1);
    expect(toldIn(desk.run(argv, tidOf(1))).map(({ tid }) => tid)).toEqual([tidOf(1)]);
  });

  test("the planted bug workerNoDedupe runs it twice", () => {
    const unplant = plant("workerNoDedupe");
    try {
      const desk = new Desk();
      desk.run(argv, tidOf(1));
      desk.ended(tidOf(1));
      expect(startsIn(desk.run(argv, tidOf(1)))).toEqual([tidOf(1)]);
    } finally {
      unplant();
    }
  });

  test("writes a marker before every start, and waits for the disk only if it may start once at most", () => {
    const desk = new Desk();
    const out = desk.hear({
      t: "run",
      lots: [
        { base: { ...argv, on_lost: "fail" }, tasks: [{ tid: tidOf(1), attempt: 1 }] },
        { base: argv, tasks: [{ tid: tidOf(2), attempt: 3 }] },
      ],
    });
    expect(out.records).toEqual([
      { t: "started", tid: tidOf(1), attempt: 1, sync: true },
      { t: "started", tid: tidOf(2), attempt: 3, sync: false },
    ]);
  });

  test("keeps two tasks from taking the same cores, memory or GPU, and refuses what can never fit", () => {
    const desk = new Desk({ slots: 4, resources: { cores: 4, memory_mib: 1000, gpus: 1 } });
    const needs = (resources: object): TaskSpec => ({ ...argv, resources });
    expect(startsIn(desk.run(needs({ cores: 3 }), tidOf(1)))).toHaveLength(1);
    expect(startsIn(desk.run(needs({ cores: 2 }), tidOf(2)))).toHaveLength(0);
    expect(startsIn(desk.ended(tidOf(1)))).toEqual([tidOf(2)]);
    expect(startsIn(desk.run(needs({ gpus: 1, memory_mib: 600 }), tidOf(3)))).toHaveLength(1);
    expect(startsIn(desk.run(needs({ memory_mib: 600 }), tidOf(4)))).toHaveLength(0);
    const refused = desk.run(needs({ cores: 5 }), tidOf(5));
    desk.push({ t: "flush" });
    expect(startsIn(refused)).toHaveLength(0);
    desk.ended(tidOf(2));
    const out = desk.ended(tidOf(3));
    expect(startsIn(out)).toEqual([tidOf(4)]);
  });
});

describe("telling", () => {
  test("tells at once when nothing waits, and gathers while more work waits", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2), tidOf(3));
    expect(kinds(desk.ended(tidOf(1)))).toEqual(["start", "gather"]);
    const second = desk.ended(tidOf(2));
    expect(toldIn(second).map(({ tid }) => tid)).toEqual([tidOf(1), tidOf(2)]);
    expect(second.records.at(-1)).toEqual({ t: "finished", finished: toldIn(second) });
  });

  test("gathers for a moment, and then tells although more work waits", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2), tidOf(3));
    expect(kinds(desk.ended(tidOf(1)))).toEqual(["start", "gather"]);
    expect(toldIn(desk.push({ t: "flush" }))).toHaveLength(1);
  });

  test("gathers longer while more of the same batch is here, unless somebody follows", () => {
    const other = "bbbbbbbb-0000-8000-8000-000000000001";
    const other2 = "bbbbbbbb-0000-8000-8000-000000000002";
    const delays = (...tids: string[]): number[] => {
      const desk = new Desk({ slots: 1 });
      desk.run({ ...argv, attach: tids[0] === tidOf(7) }, ...tids);
      const { effects } = desk.ended(tids[0] ?? "");
      return effects.flatMap((effect) => (effect.t === "gather" ? [effect.delay_ms] : []));
    };
    expect(delays(tidOf(1), other, tidOf(2))).toEqual([gatherBatch_ms]);
    expect(delays(tidOf(1), other, other2)).toEqual([gather_ms]);
    expect(delays(tidOf(7), tidOf(8), tidOf(9))).toEqual([gather_ms]);
  });

  test("cuts a long moment short for a result that somebody may wait for", () => {
    const desk = new Desk({ slots: 1 });
    const other = "bbbbbbbb-0000-8000-8000-000000000001";
    desk.run(argv, tidOf(1), other, tidOf(2), tidOf(3));
    desk.ended(tidOf(1));
    expect(desk.ended(other).effects).toContainEqual({ t: "gather", delay_ms: gather_ms });
    expect(toldIn(desk.push({ t: "flush" })).map(({ tid }) => tid)).toEqual([tidOf(1), other]);
  });

  test("leaves a start untold when the task is over before", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    desk.started(tidOf(1));
    desk.ended(tidOf(1));
    expect(kinds(desk.push({ t: "flush" }))).toEqual([]);
  });

  test("introduces itself on every new link with all it has, and tells unacknowledged results again", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2), tidOf(3));
    desk.ended(tidOf(1));
    desk.push({ t: "flush" });
    const out = desk.push({ t: "down" }, { t: "up" });
    const ready = out.effects.flatMap((effect) => (effect.t === "send" ? effect.messages : []))[0];
    expect(ready).toMatchObject({
      t: "ready",
      holding: [
        { tid: tidOf(2), phase: "running" },
        { tid: tidOf(3), phase: "queued" },
        { tid: tidOf(1), phase: "finished" },
      ],
    });
    expect(toldIn(out).map(({ tid }) => tid)).toEqual([tidOf(1)]);
    desk.hear({ t: "result_ack", done: [{ tid: tidOf(1), attempt: 1 }] });
    expect(toldIn(desk.push({ t: "down" }, { t: "up" }))).toEqual([]);
  });

  test("keeps results of an earlier life until they are acknowledged", () => {
    const first = new Desk();
    first.run(argv, tidOf(1));
    const stored = toldIn(first.ended(tidOf(1)));
    const next = new Desk({}, stored);
    expect(toldIn(next.push({ t: "up" })).map(({ tid }) => tid)).toEqual([tidOf(1)]);
    expect(startsIn(next.run(argv, tidOf(1)))).toEqual([]);
  });

  test("holds back what cannot be stored, starts nothing meanwhile, and tells it once it can", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2));
    desk.run(argv, tidOf(3));
    desk.ended(tidOf(1));
    const told = toldIn(desk.push({ t: "flush" }));
    expect(kinds(desk.push({ t: "unsafe", finished: told }))).toEqual(["gather"]);
    expect(kinds(desk.ended(tidOf(2)))).toEqual(["gather"].slice(1));
    expect(kinds(desk.push({ t: "flush" }))).toEqual(["try_storage"]);
    expect(kinds(desk.push({ t: "unsafe", finished: [] }))).toEqual(["gather"]);
    const out = desk.push({ t: "storage_works" });
    expect(startsIn(out)).toEqual([tidOf(3)]);
    const rest = desk.ended(tidOf(3));
    expect([...toldIn(out), ...toldIn(rest)].map(({ tid }) => tid).sort()).toEqual([tidOf(1), tidOf(2), tidOf(3)]);
  });
});

describe("ending", () => {
  test("ends a task at its walltime with TERM, KILL after its grace, and calls it 124 even if it exits with 0", () => {
    const desk = new Desk();
    desk.run({ ...argv, walltime_s: 5, grace_s: 2 }, tidOf(1));
    expect(desk.started(tidOf(1)).effects).toContainEqual({ t: "wake", at_ms: 6000 });
    desk.now_ms = 5999;
    expect(kinds(desk.push({ t: "tick", now: desk.now }))).toEqual(["wake"]);
    desk.now_ms = 6000;
    const term = desk.push({ t: "tick", now: desk.now });
    expect(term.effects[0]).toEqual({ t: "signal", key: tidOf(1), signal: "SIGTERM", scope: "tree" });
    desk.now_ms = 8000;
    const kill = desk.push({ t: "tick", now: desk.now });
    expect(kill.effects[0]).toEqual({ t: "signal", key: tidOf(1), signal: "SIGKILL", scope: "tree" });
    expect(outcomeIn(desk.ended(tidOf(1), { code: 0 }))).toMatchObject({
      class: "fail",
      cause: "walltime",
      exit_code: 124,
    });
  });

  test("the first cause wins: a cancel after the walltime changes nothing", () => {
    const desk = new Desk();
    desk.run({ ...argv, walltime_s: 1 }, tidOf(1));
    desk.started(tidOf(1));
    desk.now_ms = 2000;
    desk.push({ t: "tick", now: desk.now });
    const out = desk.hear({ t: "cancel", tid: tidOf(1), attempt: 1, cause: "cancel" });
    expect(kinds(out)).toEqual([]);
    expect(outcomeIn(desk.ended(tidOf(1), { signal: "SIGTERM" }))?.cause).toBe("walltime");
  });

  test("cancels what is queued without starting it, and says that it never started", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2));
    desk.run(argv, tidOf(3));
    desk.hear({ t: "cancel", tid: tidOf(2), attempt: 1, cause: "cancel" });
    const cancelled = toldIn(desk.push({ t: "flush" }));
    expect(startsIn(desk.ended(tidOf(1)))).toEqual([tidOf(3)]);
    expect(cancelled[0]?.result).toMatchObject({ attempt: 0, outcome: { class: "cancelled", exit_code: 143 } });
  });

  test("a second cancel with SIGKILL does not wait for the grace", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    desk.started(tidOf(1));
    desk.hear({ t: "cancel", tid: tidOf(1), attempt: 1, cause: "cancel", signal: "SIGINT" });
    const out = desk.hear({ t: "cancel", tid: tidOf(1), attempt: 1, cause: "cancel", signal: "SIGKILL" });
    expect(out.effects[0]).toMatchObject({ t: "signal", signal: "SIGKILL" });
    expect(outcomeIn(desk.ended(tidOf(1), { signal: "SIGKILL" }))).toMatchObject({
      class: "cancelled",
      exit_code: 130,
    });
  });

  test("a cancel of another attempt leaves the running one alone", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    expect(kinds(desk.hear({ t: "cancel", tid: tidOf(1), attempt: 2, cause: "interrupt" }))).toEqual([]);
  });

  test("gives processes left behind a moment, then TERM, then KILL, and at last waits no longer", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    desk.started(tidOf(1));
    const seen: unknown[] = [];
    desk.push({ t: "exited", key: tidOf(1), exit: { code: 7, signal: null }, now: desk.now });
    for (let step = 0; step < 100; step++) {
      desk.now_ms += 100;
      for (const effect of desk.push({ t: "tick", now: desk.now }).effects) {
        if (effect.t === "signal") seen.push([desk.now_ms - 1000, effect.signal]);
        if (effect.t === "collect") seen.push([desk.now_ms - 1000, "collect"]);
      }
    }
    expect(seen).toEqual([
      [200, "SIGTERM"],
      [2200, "SIGKILL"],
      [7200, "collect"],
    ]);
    expect(outcomeIn(desk.ended(tidOf(1), { code: null }))).toMatchObject({ cause: "exit", exit_code: 7 });
  });
});

describe("leaving", () => {
  test("drains: finishes what runs, gives back what waits, and leaves once all is acknowledged", () => {
    const desk = new Desk({ slots: 1 });
    desk.run(argv, tidOf(1), tidOf(2));
    const stop = desk.hear({ t: "stop", how: "drain" });
    const back = [...toldIn(stop), ...toldIn(desk.push({ t: "flush" }))];
    expect(back).toMatchObject([{ tid: tidOf(2), result: { attempt: 0, outcome: { class: "lost" } } }]);
    expect(kinds(stop)).not.toContain("exit");
    expect(kinds(desk.ended(tidOf(1)))).not.toContain("exit");
    const done = [tidOf(1), tidOf(2)].map((tid) => ({ tid, attempt: 1 }));
    expect(kinds(desk.hear({ t: "result_ack", done }))).toContain("exit");
  });

  test("stops now: interrupts what runs, which counts as lost", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    desk.started(tidOf(1));
    expect(kinds(desk.hear({ t: "stop", how: "now" }))).toContain("signal");
    expect(outcomeIn(desk.ended(tidOf(1), { signal: "SIGTERM" }))).toMatchObject({ class: "lost", cause: "lost" });
  });

  test("leaves without acknowledgement when nobody will give one, but not before all is stored", () => {
    const desk = new Desk();
    desk.run(argv, tidOf(1));
    desk.started(tidOf(1));
    const told = desk.push({ t: "leave", how: "now", now: desk.now });
    expect(told.effects[0]).toEqual({ t: "send", messages: [{ t: "leaving" }] });
    const out = desk.ended(tidOf(1), { signal: "SIGTERM" });
    expect(kinds(out)).toEqual(["report", "exit"]);
    const held = desk.push({ t: "unsafe", finished: toldIn(out) });
    expect(kinds(held)).not.toContain("exit");
    expect(kinds(desk.push({ t: "storage_works" }))).toEqual(["report", "exit"]);
  });
});

describe("input", () => {
  const spec: TaskSpec = { argv: ["cat"], stdin: { kind: "stream" } };
  const input = (offset: number, text: string, end = false): ToWorker => {
    return { t: "input", tid: tidOf(1), offset, end, bytes: [Buffer.from(text)] };
  };
  const passed = (out: Decision<WorkerRecord, WorkerEffect>): string =>
    out.effects
      .flatMap((effect) =>
        effect.t === "input" ? [Buffer.from(effect.bytes ?? []).toString() + (effect.end ? "$" : "")] : [],
      )
      .join("");

  test("passes every byte once, in order, whatever is repeated, overlaps or comes too early", () => {
    const desk = new Desk();
    desk.run(spec, tidOf(1));
    desk.started(tidOf(1));
    expect(passed(desk.hear(input(0, "abc"), input(0, "abc"), input(2, "cde"), input(7, "X")))).toBe("abcde");
    expect(passed(desk.hear(input(5, "f", true)))).toBe("f$");
  });

  test("keeps what comes before the process is there", () => {
    const desk = new Desk();
    desk.run(spec, tidOf(1));
    expect(passed(desk.hear(input(0, "early", true)))).toBe("");
    expect(passed(desk.started(tidOf(1)))).toBe("early$");
  });

  test("does not take more than its bound ahead of the task", () => {
    const desk = new Desk();
    desk.run(spec, tidOf(1));
    desk.started(tidOf(1));
    const mib = "x".repeat(1024 * 1024);
    const out = desk.hear(input(0, mib), input(mib.length, mib), input(2 * mib.length, mib));
    expect(passed(out)).toHaveLength(2 * mib.length);
    desk.push({ t: "input_taken", key: tidOf(1), offset: 2 * mib.length, closed: false });
    expect(passed(desk.hear(input(2 * mib.length, "more")))).toBe("more");
  });

  test("says that nobody reads when the task is unknown, over, or takes no input", () => {
    const desk = new Desk();
    expect(desk.hear(input(0, "abc")).effects).toEqual([
      { t: "send", messages: [{ t: "input_ack", tid: tidOf(1), offset: 3, closed: true }] },
    ]);
  });
});
