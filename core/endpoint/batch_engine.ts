/**
 * The batch engine of a configuration, made ready: which scheduler's commands are where, what a block is asked for, how
 * blocks grow and shrink. All that differs between engines of blocks is decided here, once, at the start.
 */

import { blockShape } from "../../providers/block_shape.ts";
import type { Profile } from "../../providers/profile.ts";
import { openProvider, type Provider } from "../../providers/provider.ts";
import { schedulers } from "../../providers/schedulers.ts";
import type { LargestNode } from "../engine/largest_node.ts";
import { GcError } from "../errors.ts";
import { findCommand } from "../host/command.ts";
import { endpointTasksMax } from "../limits.ts";
import { type BatchEngine, type ReachWay, reachWays } from "../schema/batch_engine.ts";
import type { Schedule } from "../schema/schedule.ts";
import { nodeLocal } from "../worker/block_member.ts";
import type { BatchSettings } from "./batch_settings.ts";
import type { BlockDeskSettings } from "./block_desk.ts";
import { OpeningHours } from "./opening_hours.ts";
import { blockPlacement, slotsUnlimited } from "./worker_shape.ts";

/** Before its end a block gets no more tasks: a tenth of its walltime, but neither too short nor too long. */
const warnShare = 0.1;
const warnLeast_s = 30;
const warnMost_s = 300;
/** DESIGN §6: no more than one submission in 10 s. */
const submitGap_ms = 10_000;
const pollFast_ms = 5000;
const tasksAhead = 256;

/** Places and facts of the endpoint that a batch engine needs. */
export interface BatchPlaces {
  readonly endpoint_id: string;
  readonly blocks: string;
  readonly outputs: string;
  readonly door_path: string;
  readonly path: string | undefined;
  readonly env: { readonly [name: string]: string };
  /** The Python for functions that name none. */
  readonly python?: string | undefined;
  readonly simulate: boolean;
}

/** How the blocks of an engine behave. */
export function batchSettings(engine: BatchEngine, schedule?: Schedule): BatchSettings {
  const { blocks } = engine;
  const { absence, poll_s } = profileOf(engine.scheduler);
  return {
    kind: "batch",
    tasks_max: endpointTasksMax,
    largest: largestNode(engine),
    init_blocks: blocks.init,
    min_blocks: blocks.min,
    max_blocks: blocks.max,
    nodes_per_block: blocks.nodes,
    slots_per_node: slotsPerNode(engine),
    parallelism: blocks.parallelism,
    max_idle_ms: blocks.max_idle_s * 1000,
    walltime_s: blocks.walltime_s,
    warn_s: Math.min(warnMost_s, Math.max(warnLeast_s, Math.round(blocks.walltime_s * warnShare))),
    submit_gap_ms: submitGap_ms,
    poll_fast_ms: pollFast_ms,
    poll_slow_ms: poll_s * 1000,
    absent_polls: absence.polls,
    absent_after_ms: absence.after_submit_s * 1000,
    ...(schedule === undefined ? {} : { hours: new OpeningHours(schedule) }),
  };
}

/** Slots that a node will have as far as the configuration tells; infinite when only the node knows. */
function slotsPerNode({ workers, cores_per_node, memory_mib_per_node }: BatchEngine): number {
  const { per_node_max, cores_per_worker, memory_mib_per_worker, accelerators } = workers;
  const none = Number.POSITIVE_INFINITY;
  const shares = [
    per_node_max ?? none,
    cores_per_node === undefined ? none : cores_per_node / (cores_per_worker || 1),
    // 0 asks for all that a node has.
    (memory_mib_per_node || none) / (memory_mib_per_worker ?? 1),
    accelerators.length || none,
  ];
  return Math.max(1, Math.floor(Math.min(...shares) + 1e-6));
}

/** What a task may ask for at most; whole nodes may be larger than what is asked for. */
function largestNode({
  exclusive,
  blocks,
  cores_per_node,
  memory_mib_per_node,
  gpus_per_node,
  workers,
}: BatchEngine): LargestNode {
  const gpus = workers.accelerators.length || gpus_per_node;
  const cores =
    exclusive || cores_per_node === undefined ? undefined : Math.max(cores_per_node, workers.per_node_max ?? 1);
  return {
    nodes: blocks.nodes,
    ...(cores === undefined ? {} : { cores }),
    ...(memory_mib_per_node ? { memory_mib: memory_mib_per_node } : {}),
    ...(gpus === undefined ? {} : { gpus }),
  };
}

/** What the desk of blocks is set to. @throws GcError missing `scheduler.command_missing`. */
export function blockDeskSettings(engine: BatchEngine, places: BatchPlaces): BlockDeskSettings {
  const { workers } = engine;
  return {
    provider: openScheduler(engine, places.path),
    dir: places.blocks,
    request: blockShape(engine),
    worker: {
      endpoint_id: places.endpoint_id,
      link: { kind: "door", path: places.door_path, reach: [...reachOf(engine)] },
      slots: workers.per_node_max ?? slotsUnlimited,
      cores_per_slot: workers.cores_per_worker || 1,
      prefetch: tasksAhead,
      sandboxes: nodeLocal,
      outputs: places.outputs,
      resources: engine.gpus_per_node === undefined ? {} : { gpus: engine.gpus_per_node },
      env: { ...places.env },
      ...blockPlacement(engine),
      ...(places.python === undefined ? {} : { python: places.python }),
      ...(places.simulate ? { simulate: true } : {}),
    },
  };
}

/** How workers reach the endpoint, best way first. */
export function reachOf({ reach }: BatchEngine): readonly ReachWay[] {
  return reach ?? reachWays;
}

/** The provider of an engine, with its commands found on `path`. */
export function openScheduler(engine: BatchEngine, path: string | undefined): Provider {
  const profile = profileOf(engine.scheduler);
  const commands: { [name: string]: string } = {};
  for (const name of profile.commands) {
    const found = findCommand(name, path);
    if (found === undefined) {
      const what = `${profile.title} needs the command "${name}", which is not in PATH on this machine`;
      throw new GcError("missing", "scheduler.command_missing", what, { hint: "gc doctor" });
    }
    commands[name] = found;
  }
  // Without, squeue would not see the blocks of another cluster, and they would be taken for gone.
  const cluster = engine.clusters === undefined ? {} : { cluster: engine.clusters };
  return openProvider(profile, { commands, ...cluster });
}

function profileOf(name: BatchEngine["scheduler"]): Profile {
  const known: { readonly [name: string]: Profile } = schedulers;
  const profile = known[name];
  if (profile !== undefined) return profile;
  throw new GcError("config", "scheduler.unknown", `This version of gc does not speak to the scheduler "${name}"`);
}
