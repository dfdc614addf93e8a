/** Speaks like Son of Grid Engine 8.1.9, as it was captured; its parallel environment is called mpi. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { directiveWords, type Options, optionsOf, secondsOf, type Table } from "./options.ts";
import type { Job, Queue } from "./queue.ts";
import { accountEnv, type Call, ctimeWithYear, failed, type Reply, type Run, type Speaker, said } from "./speaker.ts";

const table: Table = {
  ...Object.fromEntries("aAclmMNoePqSvwrjt".split("").map((letter) => [`-${letter}`, true])),
  ...Object.fromEntries(["h", "V", "cwd", "notify", "terse"].map((word) => [`-${word}`, false])),
  "-wd": true,
  "-b": true,
  "-pe": true,
};
const resources = new Set(["h_rt", "s_rt", "h_vmem", "gpu", "exclusive", "arch", "hostname"]);
const environment = "mpi";
/** So long after its end a job comes into the accounting. */
const accounting_ms = 2000;

function qsub(call: Call): Reply {
  const { queue, args, cwd, env } = call;
  const refuse = (why: string) => failed(1, `Unable to run job: ${why}\nExiting.\n`);
  const typed = read(args);
  if (typed.unknown !== undefined) return failed(2, `qsub: invalid option argument "${typed.unknown}"\n`);
  const path = resolve(cwd, typed.rest[0] ?? "");
  const unread = "Unable to read script file because of error:";
  if (!existsSync(path)) return failed(14, `${unread} error opening ${typed.rest[0]}: No such file or directory\n`);
  const written = read(directiveWords(readFileSync(path, "utf8"), "#$", "anywhere"));
  if (written.unknown !== undefined) return failed(2, `${unread} invalid option argument "${written.unknown}"\n`);
  // Of several the last one counts, and the command line most of all.
  const given = [...written.given, ...typed.given];
  const last = (option: string) => given.findLast((one) => one.option === option)?.value;
  const asked = new Map(
    given
      .filter(({ option }) => option === "-l")
      .flatMap(({ value }) => value.split(",").map((part) => part.split("=") as [string, string])),
  );
  const strange = [...asked.keys()].find((name) => !resources.has(name));
  if (strange !== undefined) return refuse(`unknown resource "${strange}"`);
  const walltime_s = secondsOf(asked.get("h_rt") ?? "86400");
  if (walltime_s === undefined) return refuse('attribute "h_rt" is not a time value');
  const [parallel, count = "1"] = (last("-pe") ?? "").split(" ");
  if (parallel !== "" && parallel !== environment)
    return refuse(`job rejected: the requested parallel environment "${parallel}" does not exist`);
  const name = last("-N") ?? path.split("/").at(-1) ?? "";
  if (/^\d/.test(name)) return refuse(`denied: "${name}" is not a valid object name (cannot start with a digit)`);
  const wanted = last("-q") ?? queue.cluster.queues[0]?.name ?? "";
  if (!queue.cluster.queues.some((one) => one.name === wanted))
    return refuse(`Job was rejected because job requests unknown queue "${wanted}"`);
  const script = join(queue.dir, `script-${crypto.randomUUID()}`);
  copyFileSync(path, script);
  const job = queue.submit({
    name,
    owner: env.USER ?? "alice",
    queue: wanted,
    // Round robin: a slot on each of so many hosts.
    nodes: Number(count),
    cores: 1,
    walltime_s,
    script,
    stdout: last("-o") ?? join(env.HOME ?? "/", `${name}.o`),
    stderr: last("-e") ?? join(env.HOME ?? "/", `${name}.e`),
    cwd: given.some(({ option }) => option === "-cwd") ? cwd : (env.HOME ?? "/"),
    held: given.some(({ option }) => option === "-h"),
    env,
    words: args.join(" "),
    extra: {
      notify: given.some(({ option }) => option === "-notify") ? "yes" : "no",
      category:
        asked.size === 0 ? "NONE" : `-l ${[...asked].map(([key, value]) => `${key}=${seconds(value)}`).join(",")}`,
      pe: parallel || "NONE",
    },
  });
  const terse = given.some(({ option }) => option === "-terse");
  return said(terse ? `${job.seq}\n` : `Your job ${job.seq} ("${name}") has been submitted\n`);
}

function seconds(value: string): string {
  return value.includes(":") ? String(secondsOf(value)) : value;
}

/** `-pe` has two values. */
function read(words: readonly string[]): Options {
  const joined = words.flatMap((word, i) => {
    if (words[i - 1] === "-pe") return [`${word} ${words[i + 1] ?? ""}`];
    return words[i - 2] === "-pe" ? [] : [word];
  });
  return optionsOf(joined, table);
}

const help = `SGE 8.1.9
usage: qstat [options]
        [-ext]                            view additional attributes
        [-explain a|c|A|E]                show reason for queue c(onfiguration ambiguous), a(larm)
`;

function qstat({ queue, args }: Call): Reply {
  if (args[0] === "-help") return said(help);
  if (args[0] !== "-xml") return failed(1, help);
  const schema = "http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd";
  const jobs = queue.living();
  const running = jobs.filter(({ phase }) => phase === "running").map(rowOf);
  const pending = jobs.filter(({ phase }) => phase !== "running").map(rowOf);
  return said(
    `<?xml version='1.0'?>\n<job_info  xmlns:xsd="${schema}">\n  <queue_info>\n${running.join("")}  </queue_info>\n` +
      `  <job_info>\n${pending.join("")}  </job_info>\n</job_info>\n`,
  );
}

function rowOf(job: Job): string {
  const runs = job.phase === "running";
  const at = (time_ms: number) => new Date(time_ms).toISOString().slice(0, 19);
  const when = runs
    ? `<JAT_start_time>${at(job.started_ms ?? 0)}</JAT_start_time>`
    : `<JB_submission_time>${at(job.submitted_ms)}</JB_submission_time>`;
  const lines = [
    `<JB_job_number>${job.seq}</JB_job_number>`,
    "<JAT_prio>0.25000</JAT_prio>",
    `<JB_name>${job.name}</JB_name>`,
    `<JB_owner>${job.owner}</JB_owner>`,
    `<state>${stateOf(job)}</state>`,
    when,
    `<queue_name>${runs ? `${job.queue}@${job.hosts[0]}` : ""}</queue_name>`,
    `<slots>${job.nodes}</slots>`,
  ];
  const inner = lines.map((line) => `      ${line}\n`).join("");
  return `    <job_list state="${runs ? "running" : "pending"}">\n${inner}    </job_list>\n`;
}

function stateOf({ phase, told }: Job): string {
  if (phase === "running") return told === undefined ? "r" : "dr";
  return phase === "held" ? "hqw" : "qw";
}

function qacct({ queue, args }: Call): Reply {
  const id = args[1] ?? "";
  const job = queue.all().find(({ seq }) => String(seq) === id);
  const recorded =
    queue.cluster.history &&
    job?.started_ms !== undefined &&
    job.end !== undefined &&
    Date.now() - job.end.at_ms >= accounting_ms;
  return recorded ? said(recordOf(job)) : failed(1, `error: job id ${id} not found\n\n`);
}

function recordOf(job: Job): string {
  const { started_ms = 0, end } = job;
  const at_ms = end?.at_ms ?? 0;
  const [failure, status] = verdictOf(job);
  const fields = [
    ["qname", job.queue],
    ["hostname", job.hosts[0] ?? ""],
    ["group", job.owner],
    ["owner", job.owner],
    ["project", "NONE"],
    ["department", "defaultdepartment"],
    ["jobname", job.name],
    ["jobnumber", String(job.seq)],
    ["taskid", "undefined"],
    ["account", "sge"],
    ["priority", "0"],
    ["qsub_time", ctimeWithYear(job.submitted_ms)],
    ["start_time", ctimeWithYear(started_ms)],
    ["end_time", ctimeWithYear(at_ms)],
    ["granted_pe", job.extra.pe ?? "NONE"],
    ["slots", String(job.nodes)],
    ["failed", failure],
    ["exit_status", status],
    ["ru_wallclock", `${Math.floor((at_ms - started_ms) / 1000)}s`],
    ["cpu", "0.013s"],
    ["maxvmem", "0.000B"],
    ["arid", "undefined"],
    ["ar_sub_time", "undefined"],
    ["category", job.extra.category ?? "NONE"],
  ];
  const padded = (value: string) => (/^(undefined|[\d.]+(s|B)|-l .*)$/.test(value) ? value : value.padEnd(20));
  const lines = fields.map(([key = "", value = ""]) => `${key.padEnd(12)} ${padded(value)}\n`);
  return `${"=".repeat(62)}\n${lines.join("")}`;
}

function verdictOf({ end }: Job): [string, string] {
  const killed = "137                  (Killed)";
  if (end?.cause === "walltime") return ["37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", killed];
  // Told to go, a script that ends by itself has an end of its own.
  if (end?.signal !== 0) return ["100 : assumedly after job", killed];
  return ["0    ", String(end.code)];
}

function qdel({ queue, args }: Call): Reply {
  let [code, stdout] = [0, ""];
  for (const id of args) {
    const job = queue.living().find(({ seq }) => String(seq) === id);
    if (job === undefined) {
      code = 1;
      stdout += `denied: job "${id}" does not exist\n`;
    } else if (job.told !== undefined) stdout += `job ${id} is already in deletion\n`;
    else {
      queue.remove(job.seq, "delete");
      const runs = job.phase === "running";
      stdout += runs
        ? `${job.owner} has registered the job ${id} for deletion\n`
        : `${job.owner} has deleted job ${id}\n`;
    }
  }
  return said(stdout, code);
}

function holding(held: boolean): (call: Call) => Reply {
  return ({ queue, args: [id = ""] }) => {
    const job = queue.living().find(({ seq }) => String(seq) === id);
    if (job === undefined) return said(`denied: job "${id}" does not exist\n`, 3);
    queue.hold(job.seq, held);
    return said(`modified hold of job ${id}\n`);
  };
}

function qconf({ queue, args }: Call): Reply {
  const names = args[0] === "-spl" ? [environment] : queue.cluster.queues.map(({ name }) => name);
  return said(names.map((name) => `${name}\n`).join(""));
}

function run(job: Job, queue: Queue): Run {
  const spool = join(queue.dir, "active_jobs", `${job.seq}.1`);
  mkdirSync(spool, { recursive: true });
  const hostfile = join(spool, "pe_hostfile");
  writeFileSync(hostfile, job.hosts.map((host) => `${host} 1 ${job.queue}@${host} UNDEFINED\n`).join(""));
  for (const path of [job.stdout, job.stderr]) mkdirSync(dirname(path), { recursive: true });
  return {
    argv: ["/bin/bash", job.script],
    cwd: job.cwd,
    umask: 0o022,
    live: true,
    env: {
      ...accountEnv(job),
      PATH: `${join(queue.dir, "bin")}:/usr/local/bin:/usr/bin:/bin`,
      ENVIRONMENT: "BATCH",
      JOB_ID: String(job.seq),
      JOB_NAME: job.name,
      JOB_SCRIPT: job.script,
      NHOSTS: String(job.nodes),
      NQUEUES: String(job.nodes),
      NSLOTS: String(job.nodes),
      QUEUE: job.queue,
      RESTARTED: "0",
      SGE_TASK_ID: "undefined",
      SGE_O_WORKDIR: job.cwd,
      ...(job.extra.pe === "NONE" ? {} : { PE: job.extra.pe ?? "", PE_HOSTFILE: hostfile }),
    },
  };
}

const kill = { after_s: 0, signal: "SIGKILL" as const };

export const gridengine: Speaker = {
  commands: { qsub, qstat, qacct, qdel, qhold: holding(true), qrls: holding(false), qconf },
  launcher: "qrsh",
  run,
  // No warning, but for jobs that asked for one.
  deleted: ({ extra }) =>
    extra.notify === "yes"
      ? [
          { after_s: 0, signal: "SIGUSR2" },
          { after_s: 60, signal: "SIGKILL" },
        ]
      : [kill],
  killed: [kill],
  over_time: () => [kill],
};
