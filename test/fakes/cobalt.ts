/** Speaks like Cobalt of 2021 on its cluster_system, as it was captured: whole nodes, no history, few exit codes. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { chosen, directiveWords, optionsOf, secondsOf, type Table } from "./options.ts";
import type { End, Job, Queue } from "./queue.ts";
import { accountEnv, type Call, clockOf, ctimeWithYear, failed, type Reply, type Speaker, said } from "./speaker.ts";

const usage = `Usage: qsub.py --help
Usage: qsub.py [options] <executable> [<excutable options>]

Refer to man pages for JOBID EXPANSION and SCRIPT JOB DIRECTIVES.

`;
/** What its XML-RPC prints before a fault. */
const noHandlers = 'No handlers could be found for logger "Proxy"\n';
const minutesLeast = 5;

const table: Table = {
  ...Object.fromEntries("nteoqAOM".split("").map((letter) => [`-${letter}`, true])),
  ...Object.fromEntries(["jobname", "debuglog", "attrs", "env", "cwd", "mode"].map((word) => [`--${word}`, true])),
  "-h": false,
};

function qsub(call: Call): Reply {
  const { queue, cwd, args, env } = call;
  const typed = optionsOf(args, table);
  if (typed.unknown !== undefined) return failed(2, `${usage}\nqsub.py: error: no such option: ${typed.unknown}\n`);
  const [script] = typed.rest;
  if (script === undefined) return failed(1, "No executable or script specified\n\n", `${usage}\n`);
  const path = resolve(cwd, script);
  if (!existsSync(path)) return failed(1, `command ${path} not found, or is not a file\n`);
  if (!isExecutable(path)) return failed(1, `command ${path} is not executable\n`);
  const written = optionsOf(directiveWords(readFileSync(path, "utf8"), "#COBALT", "below_shebang"), table);
  if (written.unknown !== undefined) return failed(2, `${usage}\nqsub.py: error: no such option: ${written.unknown}\n`);
  const options = { given: [...written.given, ...typed.given], rest: typed.rest };
  if (options.given.length === 0) return failed(1, "No required options provided\n\n", `${usage}\n`);
  const get = (option: string) => chosen(options, option, "last");
  const [nodes, time] = [Number(get("-n")), get("-t")];
  if (get("-n") === undefined) return failed(1, "'nodecount' not provided\n");
  if (time === undefined) return failed(1, "'time' not provided\n");
  if (!(nodes <= queue.cluster.nodes.length)) return failed(1, "node count out of realistic range\n");
  const walltime_s = /^\d+$/.test(time) ? Number(time) * 60 : secondsOf(time);
  if (walltime_s === undefined) return failed(1, `invalid time specification: illegal value '${time}' for minutes\n`);
  for (const file of [get("-o"), get("-e")])
    if (file !== undefined && !existsSync(dirname(file))) return failed(1, `directory ${file} does not exist\n`);
  if (walltime_s < minutesLeast * 60) {
    const fault = "<Fault 1004: 'Walltime less than minimum'> in system.validate_job";
    return failed(1, `${noHandlers}component error: XMLRPC failure ${fault}\n\n`);
  }
  const name = get("-q") ?? queue.cluster.queues[0]?.name ?? "";
  const found = queue.cluster.queues.find((one) => one.name === name);
  if (found === undefined)
    return failed(1, `${noHandlers}<Fault 1001: "trying to add job to non-existent queue '${name}'">\n`);
  if (!found.open) return failed(1, `${noHandlers}<Fault 1001: "The '${name}' queue is dead">\n`);
  const job = queue.submit({
    name: get("--jobname") ?? "N/A",
    owner: env.USER ?? "alice",
    queue: name,
    nodes,
    cores: 1,
    walltime_s,
    script: path,
    stdout: get("-o") ?? join(cwd, "output"),
    stderr: get("-e") ?? join(cwd, "error"),
    cwd,
    held: options.given.some(({ option }) => option === "-h"),
    env,
    words: args.join(" "),
    extra: { log: get("--debuglog") ?? "" },
  });
  log(job, `Jobid: ${job.seq}\nqsub ${job.words}\n`);
  log(job, `${stamp()} submitted with cwd set to: ${cwd}\n`);
  return said(`${job.seq}\n`);
}

function isExecutable(path: string): boolean {
  return (statSync(path).mode & 0o111) !== 0;
}

const stamp = (): string => `${ctimeWithYear(Date.now())} +0000 (UTC)`;

function log(job: Pick<Job, "extra">, text: string): void {
  const { log: path = "" } = job.extra;
  if (path !== "" && existsSync(dirname(path))) appendFileSync(path, text);
}

const cells: { readonly [column: string]: (job: Job) => string } = {
  JobName: ({ name }) => name,
  User: ({ owner }) => owner,
  State: (job) => stateOf(job),
  Location: ({ hosts }) => placeOf(hosts),
  Nodes: ({ nodes }) => String(nodes),
  WallTime: ({ walltime_s }) => clockOf(walltime_s),
};

function stateOf({ phase, told }: Job): string {
  if (phase === "running") return told === undefined ? "running" : "killing";
  return phase === "held" ? "user_hold" : "queued";
}

/** `cnode[02-03]`; nodes are given out in a row whenever they can be. */
function placeOf(hosts: readonly string[]): string {
  if (hosts.length < 2) return hosts[0] ?? "None";
  const numbers = hosts.map((host) => host.replace(/^\D+/, ""));
  const inRow = numbers.every((number, i) => Number(number) === Number(numbers[0]) + i);
  return `cnode[${inRow ? `${numbers[0]}-${numbers.at(-1)}` : numbers.join(",")}]`;
}

function qstat({ queue, args }: Call): Reply {
  if (args[0] === "--version") return said('version: "qstat.py " + $Revision: 406 $ + , Cobalt  + $Version$\n');
  const { given, rest: ids } = optionsOf(args, { "--header": true, "-Q": false });
  if (given.some(({ option }) => option === "-Q")) return said(queuesOf(queue));
  const header = given.find(({ option }) => option === "--header")?.value;
  const columns = (header ?? "JobID:User:WallTime:Nodes:State:Location").split(":");
  const living = queue.living();
  const jobs = ids.length === 0 ? living : living.filter(({ seq }) => ids.includes(String(seq)));
  // Not a word of those that are not there; with none at all, exit code 1.
  if (jobs.length === 0) return failed(ids.length === 0 ? 0 : 1, "");
  const digits = Math.max(...jobs.map(({ seq }) => String(seq).length));
  const cellOf = (job: Job, column: string) =>
    column === "JobID" ? String(job.seq).padStart(digits) : (cells[column]?.(job) ?? "-");
  const rows = jobs.map((job) => columns.map((column) => cellOf(job, column)));
  return said(tableOf(columns, rows));
}

function tableOf(columns: readonly string[], rows: readonly string[][]): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)) + 2);
  const line = (row: readonly string[]) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("")}\n`;
  const rule = "=".repeat(widths.reduce((sum, width) => sum + width, 0));
  return `${line(columns)}${rule}\n${rows.map(line).join("")}`;
}

function queuesOf({ cluster }: Queue): string {
  const columns = ["Name", "Users", "MaxTime", "State"];
  const rows = cluster.queues.map(({ name, open }) => [name, "None", "None", open ? "running" : "dead"]);
  return tableOf(columns, rows);
}

function qdel({ queue, args }: Call): Reply {
  const jobs = queue.living().filter(({ seq }) => args.includes(String(seq)));
  for (const job of jobs) {
    const again = job.told !== undefined;
    const words = again
      ? "user delete request already pending with signal SIGTERM; ignoring user delete request"
      : job.phase === "running"
        ? `user delete requested with signal SIGTERM by user ${job.owner}`
        : "user delete requested; removing job from the queue";
    log(job, `${stamp()} Info: ${words}\n`);
    queue.remove(job.seq, "delete");
  }
  if (jobs.length === 0) return said("");
  const rows = tableOf(
    ["JobID", "User"],
    jobs.map(({ seq, owner }) => [String(seq), owner]),
  );
  return said(`      Deleted Jobs\n${rows}`);
}

function holding(done: string, place: boolean): (call: Call) => Reply {
  return ({ queue, args: [id = ""] }) => {
    const job = queue.living().find(({ seq }) => String(seq) === id);
    const verb = place ? "place user hold on" : "remove user hold on";
    const failing = (why: string, stderr = "") =>
      failed(0, stderr, `   Failed to ${verb} jobs: \n      job ${id} ${why}\n`);
    if (job === undefined) return failing("not found", "   No jobs found.\nFailed to match any jobs\n");
    if (job.phase === "running")
      return failing(place ? "is already active" : "is already active and does not have a pending 'user hold'");
    queue.hold(job.seq, place);
    return said(`${done} user hold on jobs: \n      ${id}\n`);
  };
}

function run(job: Job, queue: Queue) {
  mkdirSync(join(queue.dir, "tmp"), { recursive: true });
  const nodefile = join(queue.dir, "tmp", `cobalt.${job.seq}`);
  writeFileSync(nodefile, job.hosts.map((host) => `${host}\n`).join(""));
  const start_s = Math.floor((job.started_ms ?? 0) / 1000);
  log(job, `${stamp()} Command: '${job.script}'\n`);
  return {
    argv: [job.script],
    cwd: job.cwd,
    umask: 0o022,
    live: true,
    env: {
      ...accountEnv(job),
      COBALT_JOBID: String(job.seq),
      COBALT_NODEFILE: nodefile,
      COBALT_PARTNAME: job.hosts[0] ?? "",
      COBALT_PARTSIZE: String(job.nodes),
      COBALT_JOBSIZE: String(job.nodes),
      COBALT_STARTTIME: String(start_s),
      COBALT_ENDTIME: String(start_s + job.walltime_s),
    },
  };
}

/** The only place where it says how a job ended. */
function after(job: Job): void {
  const { cause, code } = job.end as End;
  const how =
    cause === "walltime"
      ? "maximum execution time exceeded; initiating job termination"
      : `task completed normally with an exit code of ${code}; initiating job cleanup and removal`;
  log(job, `${stamp()} Info: ${how}\n`);
}

const oneTerm = [{ after_s: 0, signal: "SIGTERM" as const }];

export const cobalt: Speaker = {
  commands: {
    qsub,
    qstat,
    qdel,
    qhold: holding("Placed", true),
    qrls: holding("   Removed", false),
  },
  run,
  after,
  deleted: () => oneTerm,
  killed: [{ after_s: 0, signal: "SIGKILL" }],
  over_time: () => oneTerm,
};
