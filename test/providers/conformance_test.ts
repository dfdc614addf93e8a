/** The conformance suite, for every scheduler. */
import { schedulers } from "../../providers/schedulers.ts";
import { keptCaptures, samplesOf } from "./captures.ts";
import { conformance } from "./conformance.ts";
import { readers, sampleReaders } from "./readers.ts";

const subjects = {
  slurm: [schedulers.slurm, keptCaptures("slurm"), readers.slurm],
  pbspro: [schedulers.pbspro, keptCaptures("openpbs"), readers.openpbs],
  torque: [schedulers.torque, samplesOf("torque"), sampleReaders.torque],
  lsf: [schedulers.lsf, samplesOf("lsf"), sampleReaders.lsf],
  openlava: [schedulers.openlava, keptCaptures("openlava"), readers.openlava],
  cobalt: [schedulers.cobalt, keptCaptures("cobalt"), readers.cobalt],
  gridengine: [schedulers.gridengine, keptCaptures("gridengine"), readers.gridengine],
} as const;

for (const [profile, captures, read] of Object.values(subjects)) {
  if (read !== undefined) conformance({ profile, captures, read });
}
