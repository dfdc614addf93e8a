/** The part of the conformance suite that has blocks live and end, for every scheduler that has a fake. */
import { schedulers } from "../../providers/schedulers.ts";
import type { FakeName } from "../fakes/fake_cluster.ts";
import { liveConformance } from "./live_conformance.ts";

// A real Slurm is asked the same in test/cluster.
const fakes = Object.keys(schedulers).filter((name) => name !== "slurm") as FakeName[];

for (const name of fakes) liveConformance(name);
