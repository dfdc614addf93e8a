/**
 * Tasks of a map on their way out, in batches of one task group. The key of a batch holds the number of its first task,
 * so that a map that goes on after a kill finds in the outbox which tasks it had submitted already.
 */
import type { PythonCall } from "../../core/schema/python.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Fate } from "../../core/submit/client.ts";
import type { FoundEndpoint } from "../../core/submit/endpoint_lookup.ts";
import { type EnvelopeId, type GroupId, type TaskId, taskId } from "../../core/task/id.ts";
import { batchFacts, type SubmitWish } from "../task_batch.ts";
import type { TaskDesk } from "../task_desk.ts";
import type { Item } from "./output.ts";
import { argvFor, type Input, quoted, scriptFor } from "./template.ts";

/** What every task runs. */
export type What =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "script"; readonly text: string }
  | { readonly kind: "python"; readonly call: PythonCall; readonly name: string };

const keyOf = (first: number): string => `map:${String(first).padStart(10, "0")}`;
const firstOf = (key: string | undefined): number | undefined => {
  return key !== undefined && /^map:\d{10,}$/.test(key) ? Number(key.slice(4)) : undefined;
};

export class Submitting {
  private readonly desk: TaskDesk;
  private readonly endpoint: FoundEndpoint;
  private readonly facts: ReturnType<typeof batchFacts> & { group: GroupId };
  private readonly base: TaskSpec;
  private readonly refused: (error: Exclude<Fate, string>) => void;

  /** @param refused is told when a batch will never be taken. */
  constructor(
    desk: TaskDesk,
    endpoint: FoundEndpoint,
    wish: SubmitWish & { group: GroupId },
    base: TaskSpec,
    refused: (error: Exclude<Fate, string>) => void,
  ) {
    this.desk = desk;
    this.endpoint = endpoint;
    this.facts = { ...batchFacts(desk, endpoint, wish), group: wish.group };
    this.base = base;
    this.refused = refused;
    desk.client.prepare(endpoint.record);
  }

  /** Submits tasks with consecutive numbers; returns their ids. They are safe from a kill when it returns. */
  submit(items: readonly { item: Item; spec: TaskSpec }[]): TaskId[] {
    const [first] = items;
    if (first === undefined) return [];
    const { client } = this.desk;
    const tasks = items.map(({ spec }) => spec);
    const batch = { base: this.base, tasks, ...this.facts, key: keyOf(first.item.seq) };
    const told = (fate: Fate): void => {
      if (typeof fate !== "string") this.refused(fate);
    };
    const head = client.submit(this.endpoint.record, batch, told, false);
    client.flush();
    return items.map((_, index) => taskId(head.id as EnvelopeId, index));
  }

  /** Tasks that an earlier run submitted, by number; the newest submission of each counts. */
  earlier(): Map<number, TaskId> {
    const { client, outbox } = this.desk;
    const kept = outbox.list(Number.POSITIVE_INFINITY, this.facts.group).filter(({ refused }) => refused === undefined);
    kept.sort((a, b) => a.head.created_ms - b.head.created_ms);
    const found = new Map<number, TaskId>();
    for (const { head } of kept) {
      const first = firstOf(head.key);
      if (first === undefined) continue;
      client.know(head);
      for (let index = 0; index < head.count; index += 1) {
        found.set(first + index, taskId(head.id as EnvelopeId, index));
      }
    }
    return found;
  }
}

/** The task for one input, and what it is called in the joblog. */
export function taskFor(what: What, input: Input, seq: number): { spec: TaskSpec; command: string } {
  if (what.kind === "words") {
    const argv = argvFor(what.words, input, seq);
    return { spec: { argv }, command: argv.map(quoted).join(" ") };
  }
  if (what.kind === "script") {
    const script = scriptFor(what.text, input, seq);
    return { spec: { script }, command: script };
  }
  const given = argumentsText(input);
  const python: PythonCall = { ...what.call, arguments: { kind: "json", text: given.text } };
  return { spec: { python }, command: `${what.name}(${given.shown})` };
}

/** An object gives keyword arguments, a list all arguments, anything else the one argument; text that is JSON is it. */
function argumentsText(input: Input): { text: string; shown: string } {
  const { json, names, columns } = input;
  if (Array.isArray(json)) return { text: `{"args":${JSON.stringify(json)},"kwargs":{}}`, shown: columns.join(", ") };
  if (names !== undefined && Object.keys(names).length > 0) {
    const kwargs = json !== undefined ? JSON.stringify(json) : `{${pairs(names)}}`;
    return { text: `{"args":[],"kwargs":${kwargs}}`, shown: kwargs };
  }
  const values = columns.map(valueText);
  return { text: `{"args":[${values.join(",")}],"kwargs":{}}`, shown: values.join(", ") };
}

function pairs(names: { readonly [name: string]: string }): string {
  return Object.entries(names)
    .map(([name, value]) => `${JSON.stringify(name)}:${valueText(value)}`)
    .join(",");
}

/** The text itself where it is JSON, so that a large number stays what it is; else a string. */
function valueText(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}
