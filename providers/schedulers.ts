/** The schedulers that gc knows, by name. A new one is added here, and nowhere else. */
import { GcError } from "../core/errors.ts";
import type { SchedulerName } from "../core/schema/batch_engine.ts";
import type { Profile } from "./profile.ts";
import { slurm } from "./slurm/slurm.ts";

export const schedulers: { readonly [name in SchedulerName]?: Profile } = { slurm };

/** @throws GcError config when this version does not know the scheduler. */
export function profileOf(name: SchedulerName): Profile {
  const profile = schedulers[name];
  if (profile !== undefined) return profile;
  throw new GcError("config", "scheduler.unknown", `The scheduler "${name}" is not available in this version`);
}
