/** Speaks like IBM Spectrum LSF 10.1, after its manual: no running one was at hand to capture. */

import { bhist, bqueues, bsub, codeOf, interruptTermKill, lsfRun, ordering, report, wordOf } from "./lsf_jobs.ts";
import { optionsOf } from "./options.ts";
import type { Job } from "./queue.ts";
import { type Call, failed, type Reply, type Speaker, said } from "./speaker.ts";

const version = "IBM Spectrum LSF Standard 10.1.0.13, Apr 15 2022\n";

function bjobs({ queue, args }: Call): Reply {
  if (args[0] === "-V") return failed(0, version);
  const { given, rest: ids } = optionsOf(args, { "-a": false, "-o": true, "-json": false, "-w": false });
  const columns = (given.find(({ option }) => option === "-o")?.value ?? "jobid stat job_name user").split(" ");
  const all = given.some(({ option }) => option === "-a");
  if (ids.length === 0) {
    const jobs = all ? queue.all().filter(({ forgotten }) => forgotten !== true) : queue.living();
    if (jobs.length === 0) return failed(255, all ? "No job found\n" : "No unfinished job found\n");
    return said(json(jobs.map((job) => recordOf(job, columns))));
  }
  let code = 0;
  const records = ids.map((id) => {
    const job = /^\d+$/.test(id) ? queue.find(Number(id)) : undefined;
    if (job !== undefined && (job.phase !== "over" || queue.cluster.history)) return recordOf(job, columns);
    code = 255;
    return { JOBID: id, ERROR: `Job <${id}> is not found` };
  });
  return said(json(records), code);
}

const cells: { readonly [column: string]: (job: Job) => string } = {
  jobid: ({ seq }) => String(seq),
  stat: wordOf,
  job_name: ({ name }) => name,
  user: ({ owner }) => owner,
  exit_code: (job) => (wordOf(job) === "EXIT" ? String(codeOf(job) ?? 130) : ""),
  exit_reason: reasonOf,
  kill_reason: () => "",
  pend_reason: ({ phase }) => (phase === "pending" ? "Job slot limit reached" : ""),
  suspend_reason: ({ phase }) => (phase === "held" ? "The job was suspended by the user while pending" : ""),
  exec_host: ({ hosts, cores }) => hosts.map((host) => (cores > 1 ? `${cores}*${host}` : host)).join(":"),
};

function recordOf(job: Job, columns: readonly string[]): object {
  return Object.fromEntries(columns.map((column) => [column.toUpperCase(), cells[column]?.(job) ?? ""]));
}

function reasonOf({ end }: Job): string {
  if (end?.cause === "walltime") return "TERM_RUNLIMIT: job killed after reaching LSF run time limit";
  return end?.cause === "deleted" ? "TERM_OWNER: job killed by owner" : "";
}

function json(records: readonly object[]): string {
  return `${JSON.stringify({ COMMAND: "bjobs", JOBS: records.length, RECORDS: records }, undefined, 2)}\n`;
}

export const lsf: Speaker = {
  commands: {
    bsub: (call) => (call.args[0] === "-V" ? failed(0, version) : bsub(call, { "-nnodes": true, "-gpu": true })),
    bjobs,
    bhist,
    bqueues,
    bkill: ordering("bkill"),
    bstop: ordering("bstop"),
    bresume: ordering("bresume"),
  },
  launcher: "blaunch",
  run: lsfRun,
  after: report,
  deleted: () => interruptTermKill,
  killed: [{ after_s: 0, signal: "SIGKILL" }],
  over_time: () => [
    { after_s: 0, signal: "SIGUSR2" },
    { after_s: 10, signal: "SIGTERM" },
    { after_s: 10, signal: "SIGKILL" },
  ],
};
