/** An endpoint's deciding half on a table: events in, records kept in an array, effects looked at. */

import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import type {
  EndpointEffect,
  EndpointEvent,
  EngineSettings,
  LiveAnswer,
  LiveAsk,
  LocalSettings,
} from "../../core/endpoint/decision.ts";
import type { JournalRecord } from "../../core/endpoint/journal_record.ts";
import { EndpointState } from "../../core/endpoint/state.ts";
import type { KeyRecord, TaskHeader } from "../../core/schema/envelope.ts";
import type { Order } from "../../core/schema/live_message.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Ready, Run } from "../../core/schema/worker_message.ts";
import { type EnvelopeId, envelopeId, type PrincipalId, taskId } from "../../core/task/id.ts";

export const owner = user("aaaaaaaa-0000-8000-8000-000000000001");
export const stranger = user("bbbbbbbb-0000-8000-8000-000000000002");

function user(id: string): KeyRecord {
  return { kind: "user", id, sign_pub: "", enc_pub: "", seq: 0, sig: "" };
}

const endpoint = "eeeeeeee-0000-8000-8000-000000000003";

/** The events of one mail of tasks. */
export function tasks(
  nonce: string,
  specs: TaskSpec[],
  options: { from?: KeyRecord; priority?: number; on_lost?: "rerun" | "fail"; refused?: string; base?: TaskSpec } = {},
): Extract<EndpointEvent, { t: "tasks" }> {
  const sender = options.from ?? owner;
  const padded = nonce.padEnd(32, "0");
  const id = envelopeId(sender.id as PrincipalId, padded);
  const header: TaskHeader = {
    v: 1,
    kind: "task",
    from: sender.id,
    to: endpoint,
    created_ms: 0,
    id,
    nonce: padded,
    count: specs.length,
    group: id,
    priority: options.priority ?? 0,
    expires_ms: 1_000_000,
    on_lost: options.on_lost ?? "rerun",
    sender,
  };
  const body = { id, from: sender.id, to: endpoint, base: options.base ?? {}, tasks: specs };
  const arrival = { header, body, digest: `d-${nonce}` };
  const refused = options.refused === undefined ? {} : { refused: options.refused };
  return { t: "tasks", seq: 1, bytes: new Uint8Array(1), arrival, now_ms: 0, ...refused };
}

/** The id of task `index` of the envelope in `event`. */
export function tid(event: Extract<EndpointEvent, { t: "tasks" }>, index = 0): string {
  return taskId(event.arrival.header.id as EnvelopeId, index);
}

export function result(kind: Result["outcome"]["class"] = "ok", exit_code = 0, text = ""): Result {
  const stdout = text === "" ? { total: 0, kept: 0 } : { total: text.length, kept: text.length, text };
  const outcome = { class: kind, cause: "exit" as const, exit_code };
  return { outcome, stdout, stderr: { total: 0, kept: 0 }, attempt: 1, started_ms: 0, ended_ms: 1, host: "h" };
}

export class Driver {
  records: JournalRecord[] = [];
  effects: EndpointEffect[] = [];
  state: EndpointState;
  private boots = 0;
  private readonly settings: EngineSettings;

  constructor(settings: Partial<LocalSettings> | BatchSettings = {}) {
    if (settings.kind === "batch") this.settings = settings;
    else this.settings = { kind: "local", workers: 1, tasks_max: 1000, ...settings };
    this.state = this.boot();
  }

  /** As after kill -9: a new state from the same records. */
  restart(): void {
    this.state = this.boot();
    for (const record of this.records) this.state.replay(record);
    const out = { records: [] as JournalRecord[], effects: [] as EndpointEffect[] };
    this.state.begin(out, 0);
    this.records.push(...out.records);
    this.effects = out.effects;
  }

  /** Decides events as one turn; returns its effects. */
  step(...events: EndpointEvent[]): EndpointEffect[] {
    const out = { records: [] as JournalRecord[], effects: [] as EndpointEffect[] };
    for (const event of events) this.state.decide(event, out);
    this.records.push(...out.records);
    this.effects = out.effects;
    return out.effects;
  }

  /** The worker that was asked for last. */
  worker(): string {
    const made = this.records.findLast((record) => record.t === "worker_made");
    if (made?.t !== "worker_made") throw new Error("no worker was made");
    return made.worker;
  }

  ready(worker: string, slots = 2, holding: Ready["holding"] = [], prefetch = 0): EndpointEvent {
    const resources = { cores: slots };
    return {
      t: "worker_up",
      worker,
      now_ms: 0,
      ready: { t: "ready", host: "node1", pid: 7, slots, prefetch, resources, holding },
    };
  }

  /** The block that was asked for last. */
  block(): { id: string; name: string } {
    const planned = this.records.findLast((record) => record.t === "block_planned");
    if (planned?.t !== "block_planned") throw new Error("no block was planned");
    return { id: planned.block, name: planned.name };
  }

  /** A worker with two slots that is ready. */
  withWorker(slots = 2): string {
    this.step({ t: "tick", now_ms: 0 });
    const worker = this.worker();
    this.step(this.ready(worker, slots));
    return worker;
  }

  finished(worker: string, task: string, what = result(), attempt = 1, now_ms = 0): EndpointEvent {
    return {
      t: "report",
      worker,
      now_ms,
      report: { t: "report", started: [], finished: [{ tid: task, attempt, result: what }] },
    };
  }

  started(worker: string, task: string, attempt = 1): EndpointEvent {
    return { t: "report", worker, now_ms: 0, report: { t: "report", started: [{ tid: task, attempt }], finished: [] } };
  }

  buried(worker: string, more: Partial<Extract<EndpointEvent, { t: "buried" }>> = {}): EndpointEvent {
    return { t: "buried", worker, started: [], finished: [], reason: "gone", now_ms: 0, ...more };
  }

  /** What the last turn told workers to run. */
  runs(): { worker: string; tid: string; attempt: number }[] {
    return this.effects.flatMap((effect) =>
      effect.t !== "to_worker"
        ? []
        : effect.messages
            .filter((message): message is Run => message.t === "run")
            .flatMap((run) => run.lots.flatMap((lot) => lot.tasks))
            .map(({ tid: task, attempt }) => ({ worker: effect.worker, tid: task, attempt })),
    );
  }

  /** Results that the last turn deposited, as exit code by task. */
  deposits(): { re: string; index: number; result: Result }[] {
    return this.effects.flatMap((effect) =>
      effect.t !== "deposit"
        ? []
        : effect.indices.map((index, k) => ({
            re: effect.held.id as string,
            index,
            result: effect.results[k] as Result,
          })),
    );
  }

  /** Asks something live; returns the answers. */
  ask(user: KeyRecord, message: LiveAsk, now_ms = 0): LiveAnswer[] {
    const effects = this.step({ t: "live", asker: { user, session: "s" }, message, now_ms });
    return effects.flatMap((effect) => (effect.t === "answer" ? [effect.message] : []));
  }

  /** An order of the owner; returns what came of it. */
  order(what: Order["what"], blocks?: number, now_ms = 0): LiveAnswer | undefined {
    const order = { t: "order" as const, rid: 9, boot: `boot${this.boots - 1}`, what };
    return this.ask(owner, blocks === undefined ? order : { ...order, blocks }, now_ms)[0];
  }

  private boot(): EndpointState {
    const self = {
      owner: owner.id,
      boot: `boot${this.boots++}`,
      host: "h",
      pid: 1,
      since_ms: 0,
      software: "test",
    };
    return new EndpointState(self, this.settings);
  }
}
