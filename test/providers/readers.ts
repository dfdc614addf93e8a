/** The reader of each file of captures. */
import type { Capture } from "./captures.ts";
import { readCobalt } from "./cobalt_reading.ts";
import { readGridEngine } from "./gridengine_reading.ts";
import { readLsf } from "./lsf_reading.ts";
import { readOpenLava } from "./openlava_reading.ts";
import { readOpenPbs } from "./openpbs_reading.ts";
import type { Reading } from "./reading.ts";
import { readSlurm } from "./slurm_reading.ts";
import { readTorque } from "./torque_reading.ts";

export const readers: { readonly [file: string]: (capture: Capture) => Reading | undefined } = {
  slurm: readSlurm,
  openpbs: readOpenPbs,
  openlava: readOpenLava,
  cobalt: readCobalt,
  gridengine: readGridEngine,
};

/** The readers of samples that were written after a manual, since no running scheduler was at hand. */
export const sampleReaders: { readonly [file: string]: (capture: Capture) => Reading | undefined } = {
  lsf: readLsf,
  torque: readTorque,
};
