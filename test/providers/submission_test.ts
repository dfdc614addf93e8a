/** What a submit command says, through banners and wrappers, and when it must not be repeated. */
import { describe, expect, test } from "bun:test";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import { profileOf } from "../../providers/schedulers.ts";
import { readSubmission } from "../../providers/submission.ts";
import { toldSubmit } from "./captures.ts";

const cases: [
  scheduler: SchedulerName,
  what: string,
  code: number | undefined,
  out: string,
  err: string,
  told: string,
][] = [
  ["slurm", "a plain answer", 0, "Submitted batch job 12\n", "", "accepted 12"],
  ["slurm", "another cluster, in words", 0, "Submitted batch job 12 on cluster big\n", "", "accepted 12 at big"],
  ["slurm", "another cluster, parsable", 0, "12;big\n", "", "accepted 12 at big"],
  ["slurm", "a banner with a number", 0, "Welcome! 3 messages\n12\nBye 99 x\n", "", "accepted 12"],
  ["slurm", "two ids", 0, "12\n13\n", "", "ambiguous"],
  ["slurm", "an id, then the time limit", undefined, "12\n", "", "accepted 12"],
  ["slurm", "the time limit", undefined, "", "", "ambiguous"],
  [
    "slurm",
    "a socket that timed out",
    1,
    "",
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n",
    "ambiguous",
  ],
  [
    "slurm",
    "a controller that is down",
    1,
    "",
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
    "rejected transient",
  ],
  [
    "slurm",
    "a limit",
    1,
    "",
    "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS\n",
    "rejected limit",
  ],
  [
    "pbspro",
    "a banner around the id",
    0,
    "NOTE: 2 queues drain\n77.server.site.org\n",
    "",
    "accepted 77.server.site.org",
  ],
  ["pbspro", "a hook", 32, "", "qsub: hook rejected request: use -l filesystems\n", "rejected policy"],
  ["gridengine", "an array", 0, "123.1-10:1\n", "", "accepted 123"],
  ["gridengine", "words", 0, 'Your job 123 ("gc 1") has been submitted\n', "", "accepted 123"],
  ["cobalt", "a logger that complains", 0, "5\n", 'No handlers could be found for logger "Proxy"\n', "accepted 5"],
  ["openlava", "an id on standard error", 0, "", "Job <9> is submitted to default queue <normal>.\n", "accepted 9"],
];

describe("readSubmission()", () => {
  test.each(cases)("%s: %s", (scheduler, _, code, stdout, stderr, told) => {
    expect(toldSubmit(readSubmission(profileOf(scheduler), { code, stdout, stderr }))).toBe(told);
  });
});
