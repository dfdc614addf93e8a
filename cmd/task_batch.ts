/** From what a person asked for to a batch of tasks for an endpoint, with the group it belongs to. */
import type { TaskSpec } from "../core/schema/task.ts";
import type { Batch } from "../core/submit/composer.ts";
import type { FoundEndpoint } from "../core/submit/endpoint_lookup.ts";
import { type GroupId, hashUuid, isId, type PrincipalId } from "../core/task/id.ts";
import type { TaskDesk } from "./task_desk.ts";

export interface SubmitWish {
  endpoint?: string;
  group?: string;
  priority?: number;
}

/** The id of a group: what was typed when that is an id, else made of the name, so that the same name is the same
 * group. */
export function groupOf(user: PrincipalId, said: string): GroupId {
  const lower = said.toLowerCase();
  return (isId(lower) ? lower : hashUuid("gc-group-v1", user, "\0", said)) as GroupId;
}

/** A batch with one task. */
export function batchOf(desk: TaskDesk, endpoint: FoundEndpoint, spec: TaskSpec, wish: SubmitWish): Batch {
  const { argv, script, python, ...base } = spec;
  const command = {
    ...(argv === undefined ? {} : { argv }),
    ...(script === undefined ? {} : { script }),
    ...(python === undefined ? {} : { python }),
  };
  return { base, tasks: [command], ...batchFacts(desk, endpoint, wish) };
}

/** What a batch says besides its tasks. */
export function batchFacts(desk: TaskDesk, endpoint: FoundEndpoint, wish: SubmitWish): Omit<Batch, "base" | "tasks"> {
  const facts: Omit<Batch, "base" | "tasks"> = { endpoint_name: endpoint.name };
  if (wish.group !== undefined) {
    facts.group = groupOf(desk.client.identity.id, wish.group);
    if (!isId(wish.group.toLowerCase())) facts.group_name = wish.group;
  }
  if (wish.priority !== undefined) facts.priority = wish.priority;
  return facts;
}
