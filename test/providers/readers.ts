/** The reader of each file of captures. */
import type { Capture } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { readSlurm } from "./slurm_reading.ts";

export const readers: { readonly [file: string]: (capture: Capture) => Reading | undefined } = {
  slurm: readSlurm,
};
