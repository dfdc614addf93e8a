/**
 * Answers the requests of one SDK process (docs/SDK_PROTOCOL.md), all through the same client as every other command.
 * Requests are answered in any order. Nothing here is lost when this process dies: what was answered is at the relay
 * or in the outbox, what was not is asked for again.
 */
import { GcError, messageOf } from "../../core/errors.ts";
import type { SdkAsk } from "../../core/schema/sdk_message.ts";
import { deleteFunction, findFunction, registerFunction } from "../../core/submit/function_store.ts";
import { type EnvelopeId, envelopeOf, indexOf, type TaskId } from "../../core/task/id.ts";
import { collect } from "../collect.ts";
import { standings } from "../standings.ts";
import { groupOf } from "../task_batch.ts";
import type { TaskDesk } from "../task_desk.ts";
import { endpointOf, findTargets, type Target, tidsOf } from "../task_targets.ts";
import type { Following } from "./following.ts";
import type { LineOut } from "./lines.ts";
import type { Submissions } from "./submissions.ts";

const answerWithin_ms = 10_000;
/** Pauses of a question that the relay put off because of too many. */
const putOffMax = 20;

export interface BridgeParts {
  readonly desk: TaskDesk;
  readonly out: LineOut;
  readonly following: Following;
  readonly submissions: Submissions;
}

/** Answers one request; an error is an answer too. */
export async function answer(parts: BridgeParts, request: SdkAsk): Promise<void> {
  try {
    parts.out.send({ ref: request.ref, ...(await patiently(parts.desk, () => reply(parts, request))) });
  } catch (error) {
    parts.out.send(errorLine(request.ref, error));
  }
}

/** An error as the SDK is told of it. */
export function errorLine(ref: number | undefined, error: unknown): object {
  const known = error instanceof GcError ? error : undefined;
  const { kind = "internal", code = "internal.bug", hint } = known ?? {};
  return { t: "error", ...(ref === undefined ? {} : { ref }), kind, code, message: messageOf(error), hint };
}

async function reply(parts: BridgeParts, request: SdkAsk): Promise<object> {
  const { desk, following } = parts;
  const user = desk.client.identity.id;
  switch (request.t) {
    case "watch": {
      const ids = request.ids as TaskId[];
      for (const id of new Set(ids.map(envelopeOf))) {
        const kept = desk.outbox.head(id);
        if (kept !== undefined) desk.client.know(kept.head);
      }
      following.wantAgain(groupOf(user, request.group), ids);
      return { t: "watching" };
    }
    case "reload":
      return reload(parts, request.group);
    case "cancel": {
      const targets = await targetsOf(desk, request.ids as TaskId[]);
      await Promise.all(targets.map(({ id, endpoint, indices }) => desk.client.cancel(id, endpoint, indices ?? [])));
      return { t: "cancelling" };
    }
    case "status":
      return { t: "standings", tasks: await standingsOf(desk, request.ids as TaskId[], request.results === true) };
    case "endpoints": {
      await desk.connected();
      const rows = await desk.client.endpoints();
      return { t: "endpoints", user, rows: rows.map(({ record, ...row }) => ({ id: record.id, ...row })) };
    }
    case "endpoint":
      return endpointStatus(parts, request.endpoint);
    case "register": {
      const { name, description, body } = request;
      const about = description === undefined ? {} : { description };
      const { id, sha256 } = registerFunction(desk.cli, { name, ...about, body });
      return { t: "registered", id, sha256 };
    }
    case "function": {
      const { id, sha256, statement } = findFunction(desk.cli.home, request.function);
      return { t: "function", id, sha256, ...statement };
    }
    case "forget":
      return { t: "forgotten", id: deleteFunction(desk.cli.home, request.function) };
    case "whoami":
      return { t: "whoami", id: user, context: desk.context.name };
  }
}

/** The tasks of a group, oldest batch first; their results follow. */
async function reload({ desk, following }: BridgeParts, said: string): Promise<object> {
  const group = groupOf(desk.client.identity.id, said);
  const targets = await findTargets(desk, [], said);
  const created = (target: Target): number => target.row?.created_ms ?? target.head?.created_ms ?? 0;
  // Batches of one moment are in the order in which the relay got them.
  targets.sort((a, b) => created(a) - created(b) || (a.row?.seq ?? 0) - (b.row?.seq ?? 0));
  for (const { head } of targets) if (head !== undefined) desk.client.know(head);
  const refused = targets.filter((target) => target.refused !== undefined);
  const ids = targets.flatMap(tidsOf);
  following.wantAgain(group, ids);
  for (const target of refused) if (target.refused !== undefined) following.fail(tidsOf(target), target.refused);
  return { t: "tasks", group, ids };
}

/** The same ids, by envelope. @throws GcError missing `task.unknown`. */
async function targetsOf(desk: TaskDesk, ids: readonly TaskId[]): Promise<Target[]> {
  const byEnvelope = new Map<EnvelopeId, number[]>();
  for (const id of ids) {
    const indices = byEnvelope.get(envelopeOf(id));
    if (indices === undefined) byEnvelope.set(envelopeOf(id), [indexOf(id)]);
    else indices.push(indexOf(id));
  }
  const targets: Target[] = [];
  for (const [envelope, indices] of byEnvelope) {
    const [target] = await findTargets(desk, [envelope]);
    if (target !== undefined) targets.push({ ...target, indices });
  }
  return targets;
}

interface Standing {
  id: TaskId;
  state: string;
  reason?: string;
  result?: object;
}

async function standingsOf(desk: TaskDesk, ids: readonly TaskId[], results: boolean): Promise<Standing[]> {
  const found = new Map<TaskId, Standing>();
  const targets = await targetsOf(desk, ids);
  const open = targets.filter(({ refused }) => refused === undefined);
  for (const target of targets) {
    const { refused } = target;
    if (refused === undefined) continue;
    for (const id of tidsOf(target)) found.set(id, { id, state: "refused", reason: refused.message });
  }
  const { unfinished } = await collect(desk, open, { wait: false, open: results }, (ended) => {
    const [id] = tidsOf({ ...ended.target, indices: [ended.index] });
    if (id === undefined) return;
    const { result } = ended;
    found.set(id, { id, state: ended.class, ...(result === undefined ? {} : { result }) });
  });
  const asked: { record: Awaited<ReturnType<typeof endpointOf>>; tid: string }[] = [];
  for (const { target, indices } of unfinished) {
    const record = await endpointOf(desk, target);
    for (const tid of tidsOf({ ...target, indices })) asked.push({ record, tid });
  }
  const said = asked.length === 0 ? new Map<string, never>() : await standings(desk, asked);
  return ids.map((id) => {
    const there = found.get(id);
    if (there !== undefined) return there;
    const { phase, reason } = said.get(id) ?? { phase: "queued", reason: undefined };
    return { id, state: phase === "unknown" ? "queued" : phase, ...(reason === undefined ? {} : { reason }) };
  });
}

async function endpointStatus({ desk, submissions }: BridgeParts, said: string | undefined): Promise<object> {
  const endpoint = await submissions.endpoint(said);
  await desk.connected();
  const { record, name } = endpoint;
  const [row] = await desk.client.endpoints({ id: record.id });
  const online = row?.online === true;
  desk.client.prepare(record);
  const status = online ? await desk.client.ask(record, { t: "ask_status" }, answerWithin_ms) : undefined;
  const told = typeof status === "object" && status.t === "answer_status" ? { status } : {};
  return { t: "endpoint", id: record.id, name, own: endpoint.own, online, ...told };
}

/** Asks again when the relay says that it was asked too often. */
async function patiently<T>(desk: TaskDesk, ask: () => Promise<T>): Promise<T> {
  for (let times = 0; ; times += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof GcError) || error.code !== "relay.rate_limited" || times >= putOffMax) throw error;
      await new Promise<void>((resolve) => desk.cli.host.clock.after(error.retry_after_ms ?? 500, resolve));
    }
  }
}
