/** How one command becomes one process on each node of a block. Written by people, read by `providers/launchers`. */
import type { Schema, Static } from "./static.ts";

/** Programs that start a process on each node. `single` starts one, on the first node. */
export const launcherTypes = [
  "single",
  "srun",
  "mpiexec",
  "mpirun",
  "jsrun",
  "blaunch",
  "aprun",
  "pbsdsh",
  "qrsh",
  "gnu_parallel",
  "wrapped",
] as const;

/** Programs that start the ranks of an MPI program, as people name them. */
export const mpiLaunchers = ["srun", "mpiexec", "mpirun", "jsrun", "aprun"] as const;

export const mpiSettingsSchema = {
  type: "object",
  description: "What starts MPI programs. Default: the scheduler's own launcher, otherwise mpiexec.",
  properties: {
    launcher: { enum: mpiLaunchers },
    options: { type: "string", maxLength: 4096, description: "More options for it." },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

export type MpiSettings = Static<typeof mpiSettingsSchema>;

export const launcherSpecSchema = {
  type: "object",
  description: "What starts a worker on each node of a block.",
  properties: {
    type: { enum: launcherTypes, description: "The program that starts the workers." },
    flavour: {
      enum: ["hydra", "openmpi", "pals"],
      description: "For mpiexec and mpirun: whose it is, since their options differ.",
    },
    overrides: { type: "string", maxLength: 4096, description: "More options for it." },
    bind_cmd: { type: "string", maxLength: 64, description: "For mpiexec: the option that says how to bind." },
    prepend: { type: "string", maxLength: 4096, description: "For wrapped: the words before the worker's command." },
  },
  required: ["type"],
  additionalProperties: false,
} as const satisfies Schema;

export type LauncherSpec = Static<typeof launcherSpecSchema>;
