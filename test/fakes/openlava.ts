/** Speaks like OpenLava 4.0dev4, as it was captured: prose for a job, and no columns to choose. */
import {
  bhist,
  bqueues,
  bsub,
  codeOf,
  hostsOf,
  interruptTermKill,
  lsfRun,
  ordering,
  report,
  wordOf,
} from "./lsf_jobs.ts";
import { optionsOf } from "./options.ts";
import type { Job } from "./queue.ts";
import { type Call, ctime, failed, type Reply, type Speaker } from "./speaker.ts";

const version = "OpenLava 4.0dev4, Nov 23 2026\n";
const usage = "Usage: bjobs [-h] [-V] [-w |-l] [-a] [-d] [-p] [-s] [-r] [-g job_group] ...\n";

function bjobs(call: Call): Reply {
  const { queue, args } = call;
  if (args[0] === "-V") return failed(0, version);
  const { given, rest: ids, unknown } = optionsOf(args, { "-a": false, "-w": false, "-noheader": false, "-UF": false });
  if (unknown !== undefined) return failed(255, usage);
  const has = (option: string) => given.some((one) => one.option === option);
  const seen = ids.length > 0 || has("-a") ? queue.all().filter(({ seq }) => isSeen(call, seq)) : queue.living();
  if (ids.length === 0 && seen.length === 0)
    return failed(255, has("-a") ? "No job found\n" : "No unfinished job found\n");
  const jobs = ids.length === 0 ? seen : seen.filter(({ seq }) => ids.includes(String(seq)));
  const missing = ids.filter((id) => !jobs.some(({ seq }) => String(seq) === id));
  const stderr = missing.map((id) => `Job <${id}> is not found\n`).join("");
  const stdout = has("-UF") ? prose(jobs, ids.length > 1) : lines(jobs, !has("-noheader"));
  return { code: stderr === "" ? 0 : 255, stdout, stderr };
}

function isSeen({ queue }: Call, seq: number): boolean {
  const job = queue.find(seq);
  return job !== undefined && (job.phase !== "over" || queue.cluster.history);
}

function lines(jobs: readonly Job[], heading: boolean): string {
  const rows = jobs.map((job) => {
    const [first = "    -", ...others] = job.hosts;
    const at = ctime(job.submitted_ms).slice(4, 16);
    const cells = [
      String(job.seq).padEnd(7),
      job.owner.padEnd(7),
      wordOf(job).padEnd(5),
      job.queue.padEnd(10),
      "lava01".padEnd(11),
      (job.hosts.length === 0 ? "   -" : [first, ...others].join(":")).padEnd(11),
      job.name.padEnd(10),
      at,
    ];
    return `${cells.join(" ")}\n`;
  });
  const titles = "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME\n";
  return (heading && rows.length > 0 ? titles : "") + rows.join("");
}

const rule = `${"-".repeat(78)}\n`;

function prose(jobs: readonly Job[], several: boolean): string {
  if (jobs.length === 0) return several ? "\n" : "";
  return `${several ? rule : ""}${jobs.map(recordOf).join(rule)}\n`;
}

function recordOf(job: Job): string {
  const { started_ms, end, extra } = job;
  // The text of the script goes through printf.
  const command = (extra.command ?? "").replaceAll("%s", "(null)");
  const needs = extra.needs ?? "";
  const slots = job.nodes * job.cores;
  const wanted = [
    ...(slots > 1 ? [`${slots} Processors Requested`] : []),
    ...(needs === "" ? [] : [`Requested Resources <${needs}>`]),
  ];
  const submitted = [
    `${ctime(job.submitted_ms)}: Submitted from host <lava01>`,
    `CWD <${job.cwd}>`,
    ...(job.stdout === "" ? [] : [`Output File <${job.stdout}>`]),
    ...(job.stderr === "" ? [] : [`Error File <${job.stderr}>`]),
    ...wanted,
  ];
  const places = `Execution Home <${job.env.HOME}>, Execution CWD <${job.cwd}>`;
  return [
    "",
    [
      `Job <${job.seq}>, Job Name <${job.name}>, User <${job.owner}>, Project <default>`,
      `Status <${wordOf(job)}>, Queue <${job.queue}>, Command <${command}>`,
    ].join(", "),
    `${submitted.join(", ")};`,
    "",
    " RUNLIMIT                ",
    ` ${(job.walltime_s / 60).toFixed(1)} min of ${job.hosts[0] ?? "lava01"}       `,
    ...(started_ms === undefined ? [] : [`${ctime(started_ms)}: Started on ${hostsOf(job)}, ${places};`]),
    ...(end === undefined ? [] : [endingOf(job, end.at_ms)]),
    ...pendingOf(job),
    "",
    " SCHEDULING PARAMETERS:",
    "           r15s   r1m  r15m   ut      pg    io   ls    it    tmp    swp    mem",
    " loadSched   -     -     -     -       -     -    -     -     -      -      -  ",
    " loadStop    -     -     -     -       -     -    -     -     -      -      -  ",
    "",
    " RESOURCE REQUIREMENT DETAILS:",
    ` Combined: ${needs}`,
    ` Effective: ${needs}`,
    "",
  ].join("\n");
}

function endingOf(job: Job, at_ms: number): string {
  const code = codeOf(job);
  if (code === undefined) return `${ctime(at_ms)}: Exited`;
  const killed = job.told === "kill" && job.end?.cause === "deleted";
  const how = code === 0 ? "Done successfully." : killed ? "Exited by signal 9." : `Exited with exit code ${code}.`;
  return `${ctime(at_ms)}: ${how} The CPU time used is 0.0 seconds.`;
}

function pendingOf({ phase, nodes }: Job): string[] {
  if (phase === "pending")
    return [" PENDING REASONS:", ` Job slot limit reached: ${nodes} host${nodes > 1 ? "s" : ""};`];
  return phase === "held" ? [" PENDING REASONS:", " The job was suspended by the user while pending: 1 host;"] : [];
}

export const openlava: Speaker = {
  commands: {
    bsub: (call) => (call.args[0] === "-V" ? failed(0, version) : bsub(call, {})),
    bjobs,
    bhist,
    bqueues,
    bkill: ordering("bkill"),
    bstop: ordering("bstop"),
    bresume: ordering("bresume"),
  },
  run: lsfRun,
  after: report,
  deleted: () => interruptTermKill,
  killed: [{ after_s: 0, signal: "SIGKILL" }],
  // Once, and a script that traps it runs on.
  over_time: () => [{ after_s: 0, signal: "SIGUSR2" }],
};
