/** The schedulers that gc knows, by name. A new one is added here, and nowhere else. */
import type { SchedulerName } from "../core/schema/batch_engine.ts";
import { cobalt } from "./cobalt/cobalt.ts";
import { gridengine } from "./gridengine/gridengine.ts";
import { lsf } from "./lsf/lsf.ts";
import { openlava } from "./lsf/openlava.ts";
import { pbspro } from "./pbspro/pbspro.ts";
import type { Profile } from "./profile.ts";
import { slurm } from "./slurm/slurm.ts";
import { torque } from "./torque/torque.ts";

export const schedulers = { slurm, pbspro, torque, lsf, openlava, cobalt, gridengine } as const satisfies {
  readonly [name in SchedulerName]: Profile;
};

export function profileOf(name: SchedulerName): Profile {
  return schedulers[name];
}
