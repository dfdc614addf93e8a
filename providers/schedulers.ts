/** The schedulers that gc knows, by name. A new one is added here, and nowhere else. */
import type { Profile, SchedulerName } from "./profile.ts";
import { slurm } from "./slurm/slurm.ts";

export const schedulers: { readonly [name in SchedulerName]?: Profile } = { slurm };
