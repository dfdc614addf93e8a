/**
 * From what a person typed (a task id, the beginning of one, `last`, a group) to the envelopes that are meant, as this
 * machine's outbox and the relay know them.
 */
import { GcError } from "../core/errors.ts";
import type { KeyRecord } from "../core/schema/envelope.ts";
import type { ParcelHead } from "../core/schema/outbox.ts";
import type { EnvelopeRow, List } from "../core/schema/relay_message.ts";
import type { WireError } from "../core/schema/session_message.ts";
import { lookupEndpoint } from "../core/submit/endpoint_lookup.ts";
import { entryOf } from "../core/submit/parcel.ts";
import {
  type EnvelopeId,
  envelopeOf,
  type GroupId,
  indexOf,
  isId,
  type PrincipalId,
  parseIdPrefix,
  type TaskId,
  taskId,
} from "../core/task/id.ts";
import { groupOf } from "./task_batch.ts";
import type { TaskDesk } from "./task_desk.ts";

/** Tasks of one envelope that are meant. */
export interface Target {
  readonly id: EnvelopeId;
  /** Tasks of it; all `count` of them when undefined. */
  readonly indices: number[] | undefined;
  readonly count: number;
  readonly endpoint: PrincipalId;
  readonly group: GroupId;
  /** What this machine keeps of it. */
  readonly head?: ParcelHead;
  readonly where?: "outbox" | "sent";
  readonly refused?: WireError;
  /** What the relay says of it. */
  readonly row?: EnvelopeRow;
}

/** The indices that a target means. */
export function indicesOf(target: Target): number[] {
  return target.indices ?? Array.from({ length: target.count }, (_, index) => index);
}

/** The task ids that a target means. */
export function tidsOf(target: Target): TaskId[] {
  return indicesOf(target).map((index) => taskId(target.id, index));
}

/**
 * What the words and the group of a command line mean. The relay is asked where it is reachable.
 * @throws GcError missing `task.unknown`, data `id.malformed` or `task.ambiguous`, usage `task.not_named`.
 */
export async function findTargets(desk: TaskDesk, words: readonly string[], group?: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (const word of words) targets.push(...(await named(desk, word)));
  if (group !== undefined) targets.push(...(await inGroup(desk, groupOf(desk.client.identity.id, group), group)));
  if (targets.length > 0) return targets;
  throw new GcError("usage", "task.not_named", "Name the tasks: ids, beginnings of ids, last, or --group NAME", {
    hint: "gc ps",
  });
}

/** The key of a target's endpoint, ready to be sealed to. */
export async function endpointOf(desk: TaskDesk, target: Target): Promise<KeyRecord> {
  const { cli, client, context } = desk;
  const record =
    target.head?.endpoint ??
    (await lookupEndpoint(target.endpoint, { home: cli.home, context: context.name, client })).record;
  client.prepare(record);
  return record;
}

async function named(desk: TaskDesk, word: string): Promise<Target[]> {
  if (word === "last") return [await lastOne(desk)];
  const prefix = parseIdPrefix(word);
  if (isId(prefix)) {
    const index = indexOf(prefix as TaskId);
    const target = await byEnvelope(desk, envelopeOf(prefix as TaskId));
    if (target !== undefined && index < target.count) return [{ ...target, indices: [index] }];
    const group = await groupRows(desk, prefix as GroupId);
    if (group.length > 0) return group;
    throw unknown(word);
  }
  const own = desk.outbox.idsFrom(prefix.slice(0, 28));
  const ids = own.length > 0 ? own : (await pages(desk, { prefix: prefix.slice(0, 28) }, 20)).map((row) => row.id);
  const fit: Target[] = [];
  for (const id of new Set(ids)) {
    const target = await byEnvelope(desk, id as EnvelopeId);
    if (target !== undefined) fit.push(target);
  }
  return [theOnly(word, prefix, fit)];
}

/** The one task whose id begins so. */
function theOnly(word: string, prefix: string, fit: readonly Target[]): Target {
  const tids = fit.flatMap((target) => {
    const all = target.count > 3 && prefix.length <= 28 ? [0, 1, 2] : indicesOf(target);
    return all
      .map((index) => ({ target, index, tid: taskId(target.id, index) }))
      .filter(({ tid }) => tid.startsWith(prefix));
  });
  const [first] = tids;
  if (first === undefined) throw unknown(word);
  if (tids.length === 1) return { ...first.target, indices: [first.index] };
  const list = tids
    .slice(0, 3)
    .map(({ tid }) => tid)
    .join(", ");
  throw new GcError("data", "task.ambiguous", `"${word}" is the beginning of several task ids: ${list}, …`, {
    hint: "gc ps",
  });
}

async function lastOne(desk: TaskDesk): Promise<Target> {
  const own = desk.outbox.last();
  const target = own === undefined ? undefined : await byEnvelope(desk, own);
  if (target !== undefined) return target;
  const [row] = await pages(desk, {}, 1);
  if (row !== undefined) return fromRow(row);
  throw new GcError("missing", "task.none", "There is no last task: none was submitted from here", {
    hint: "gc run -- hostname",
  });
}

async function byEnvelope(desk: TaskDesk, id: EnvelopeId): Promise<Target | undefined> {
  const kept = desk.outbox.head(id);
  if (kept !== undefined) {
    const { endpoint, count, group } = entryOf(kept.head);
    const { head, where, refused } = kept;
    return {
      id,
      indices: undefined,
      count,
      endpoint,
      group,
      head,
      where,
      ...(refused === undefined ? {} : { refused }),
    };
  }
  const [row] = await pages(desk, { envelopes: [id] }, 1);
  return row === undefined ? undefined : fromRow(row);
}

async function inGroup(desk: TaskDesk, group: GroupId, said: string): Promise<Target[]> {
  const targets = await groupRows(desk, group);
  if (targets.length > 0) return targets;
  throw new GcError("missing", "group.unknown", `There are no tasks in the group "${said}"`, { hint: "gc ps" });
}

async function groupRows(desk: TaskDesk, group: GroupId): Promise<Target[]> {
  const found = new Map<string, Target>();
  for (const { head, where, refused } of desk.outbox.list(Number.POSITIVE_INFINITY, group)) {
    const { id, endpoint, count } = entryOf(head);
    found.set(id, {
      id,
      indices: undefined,
      count,
      endpoint,
      group,
      head,
      where,
      ...(refused === undefined ? {} : { refused }),
    });
  }
  const rows = await pages(desk, { group }, Number.POSITIVE_INFINITY);
  for (const row of rows) found.set(row.id, { ...fromRow(row), ...found.get(row.id), row });
  return [...found.values()];
}

function fromRow(row: EnvelopeRow): Target {
  const { count } = row;
  const endpoint = row.endpoint as PrincipalId;
  return { id: row.id as EnvelopeId, indices: undefined, count, endpoint, group: row.group as GroupId, row };
}

/** Rows of the relay's list, page by page, `limit` at most. None when the relay is away and something is known here. */
export async function pages(
  desk: TaskDesk,
  query: Omit<List, "t" | "rid" | "limit" | "before">,
  limit: number,
): Promise<EnvelopeRow[]> {
  await desk.connected();
  const rows: EnvelopeRow[] = [];
  let before: number | undefined;
  for (;;) {
    const page = await desk.client.list({
      ...query,
      limit: Math.min(1000, limit - rows.length),
      ...(before === undefined ? {} : { before }),
    });
    rows.push(...page.rows);
    before = page.rows.at(-1)?.seq;
    if (!page.more || before === undefined || rows.length >= limit) return rows;
  }
}

/** What the relay knows of these envelopes now, by id. */
export async function rowsOf(desk: TaskDesk, ids: readonly EnvelopeId[]): Promise<Map<EnvelopeId, EnvelopeRow>> {
  await desk.connected();
  const rows = new Map<EnvelopeId, EnvelopeRow>();
  for (let at = 0; at < ids.length; at += 1000) {
    const page = await desk.client.list({ envelopes: ids.slice(at, at + 1000), limit: 1000 });
    for (const row of page.rows) rows.set(row.id as EnvelopeId, row);
  }
  return rows;
}

function unknown(word: string): GcError {
  return new GcError("missing", "task.unknown", `There is no task "${word}" here or at the relay`, { hint: "gc ps" });
}
