/**
 * A worker under hundreds of seeded, disorderly lives: messages that are repeated, links that come and go, tasks that
 * end as they like, storage that fails. Whatever happens, no attempt starts twice, nobody's cores are given away
 * twice, and every attempt has exactly one result, told until it is acknowledged.
 */
import { expect, test } from "bun:test";
import type { Decision } from "../../core/host/turn.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { keyOf } from "../../core/worker/attempt.ts";
import type { Harvest, WorkerEffect, WorkerEvent, WorkerRecord } from "../../core/worker/decision.ts";
import { WorkerState } from "../../core/worker/state.ts";

const nothing: Harvest = { stdout: { total: 0, kept: 0 }, stderr: { total: 0, kept: 0 } };
const cores = 3;

function seeded(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0;
    return (state >>> 8) % below;
  };
}

/** One life; throws when a promise is broken. Returns how many results the endpoint has. */
function live(seed: number): number {
  const pick = seeded(seed);
  const state = new WorkerState({ host: "h", pid: 1, slots: cores, prefetch: 4, resources: { cores } });
  const sent = new Map<string, { tid: string; attempt: number; spec: TaskSpec }>();
  const running = new Map<string, number>();
  const startsOf = new Map<string, number>();
  const told = new Map<string, string>();
  const stored = new Set<string>();
  let journal = new Set<string>();
  let connected = false;
  let storage = true;
  let now_ms = 1000;
  let flushes = 0;
  const inbox: WorkerEvent[] = [];

  const act = (effect: WorkerEffect): void => {
    const now = { wall_ms: now_ms, mono_ms: now_ms };
    switch (effect.t) {
      case "start": {
        if (!storage) return void inbox.push({ t: "start_held", key: effect.key });
        startsOf.set(effect.key, (startsOf.get(effect.key) ?? 0) + 1);
        running.set(effect.key, effect.spec.resources?.cores ?? 1);
        const used = [...running.values()].reduce((sum, n) => sum + n, 0);
        if (used > cores) throw new Error(`${used} cores in use`);
        return void inbox.push({ t: "started", key: effect.key, now });
      }
      case "report":
        if (effect.finished.length > 0 && !storage) {
          return void inbox.push({ t: "unsafe", finished: effect.finished });
        }
        for (const { tid, attempt, result } of effect.finished) {
          const key = keyOf(tid, attempt);
          if (!stored.has(key)) throw new Error(`${key} was told before it was kept`);
          const text = JSON.stringify(result);
          if (connected && (told.get(key) ?? text) !== text) throw new Error(`${key} has two results`);
          if (connected) told.set(key, text);
        }
        return;
      case "gather":
        flushes++;
        return;
      case "try_storage":
        return void inbox.push(storage ? { t: "storage_works" } : { t: "unsafe", finished: [] });
      default:
        return;
    }
  };
  const push = (...events: WorkerEvent[]): void => {
    inbox.push(...events);
    for (let event = inbox.shift(); event !== undefined; event = inbox.shift()) {
      const out: Decision<WorkerRecord, WorkerEffect> = { records: [], effects: [] };
      state.decide(event, out);
      for (const record of out.records) {
        if (record.t === "finished") for (const { tid, attempt } of record.finished) stored.add(keyOf(tid, attempt));
      }
      for (const effect of out.effects) act(effect);
    }
  };
  const hear = (message: Extract<WorkerEvent, { t: "messages" }>["messages"][number]): void => {
    if (connected) push({ t: "messages", messages: [message], now: { wall_ms: now_ms, mono_ms: now_ms } });
  };
  const run = (one: { tid: string; attempt: number; spec: TaskSpec }): void => {
    hear({ t: "run", lots: [{ base: one.spec, tasks: [{ tid: one.tid, attempt: one.attempt }] }] });
  };
  const end = (key: string): void => {
    running.delete(key);
    const exit = { code: pick(2), signal: null };
    push({ t: "ended", key, exit, harvest: nothing, now: { wall_ms: now_ms, mono_ms: now_ms } });
  };
  const acknowledge = (): void => {
    if (!connected) return;
    const done = [...told.keys()].filter((key) => !journal.has(key)).slice(0, 3);
    journal = new Set([...journal, ...done]);
    const items = [...sent].filter(([key]) => done.includes(key)).map(([, { tid, attempt }]) => ({ tid, attempt }));
    hear({ t: "result_ack", done: items });
  };
  const flush = (): void => {
    if (flushes > 0) {
      flushes--;
      push({ t: "flush" });
    }
  };

  for (let step = 0; step < 150; step++) {
    now_ms += pick(50);
    const all = [...sent.values()];
    switch (pick(10)) {
      case 0:
      case 1: {
        const attempt = 1 + pick(2);
        const spec: TaskSpec = { argv: ["x"], resources: { cores: 1 + pick(cores + 1) }, walltime_s: 0.1 };
        const one = { tid: `t${pick(40)}`, attempt, spec };
        const known = sent.get(keyOf(one.tid, attempt));
        if (!connected) break;
        sent.set(keyOf(one.tid, attempt), known ?? one);
        run(known ?? one);
        break;
      }
      case 2: {
        const one = all[pick(Math.max(all.length, 1))];
        if (one !== undefined) run(one);
        break;
      }
      case 3:
      case 4: {
        const key = [...running.keys()][pick(Math.max(running.size, 1))];
        if (key !== undefined) end(key);
        break;
      }
      case 5:
        connected = !connected;
        push({ t: connected ? "up" : "down" });
        break;
      case 6: {
        const one = all[pick(Math.max(all.length, 1))];
        if (one !== undefined) hear({ t: "cancel", tid: one.tid, attempt: one.attempt, cause: "cancel" });
        break;
      }
      case 7:
        storage = pick(3) > 0;
        break;
      case 8:
        acknowledge();
        break;
      default:
        flush();
        push({ t: "tick", now: { wall_ms: now_ms, mono_ms: now_ms } });
    }
  }
  storage = true;
  if (!connected) push({ t: "up" });
  connected = true;
  push({ t: "down" }, { t: "up" });
  for (let round = 0; round < 500; round++) {
    flush();
    for (const key of [...running.keys()]) end(key);
    acknowledge();
  }
  for (const [key, count] of startsOf) if (count > 1) throw new Error(`${key} started ${count} times`);
  for (const key of sent.keys()) if (!journal.has(key)) throw new Error(`${key} has no result`);
  return journal.size;
}

test("400 seeded lives break no promise", () => {
  let results = 0;
  for (let seed = 1; seed <= 400; seed++) {
    try {
      results += live(seed);
    } catch (error) {
      throw new Error(`Seed ${seed}: ${String(error)}`);
    }
  }
  expect(results).toBeGreaterThan(2000);
});
