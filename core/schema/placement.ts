/** How tasks are placed on a node: which accelerators, which processors, inside which image. Written by people. */
import type { Schema, Static } from "./static.ts";

/** As in Globus Compute. */
export const cpuAffinitySchema = {
  type: "string",
  maxLength: 4096,
  pattern: "^(none|block|block-reverse|alternating|list:\\d+(-\\d+)?([,:]\\d+(-\\d+)?)*)$",
  description: "How tasks are bound to cores: none, block, block-reverse, alternating, or list:0-3:4-7 by slot.",
} as const satisfies Schema;

/** Programs that run a command in an image; `custom`: words that are put before it. */
export const containerTypes = ["docker", "podman", "podman-hpc", "apptainer", "singularity", "custom"] as const;

export const containerSchema = {
  type: "object",
  description: "Runs every task inside a container.",
  examples: [{ type: "apptainer", image: "image.sif" }],
  properties: {
    type: { enum: containerTypes, description: "The container program." },
    image: { type: "string", minLength: 1, maxLength: 4096, description: "The image, as that program names it." },
    options: { type: "string", maxLength: 65536, description: "More options for it; for custom, the whole command." },
  },
  required: ["type"],
  additionalProperties: false,
} as const satisfies Schema;

export type ContainerSpec = Static<typeof containerSchema>;
