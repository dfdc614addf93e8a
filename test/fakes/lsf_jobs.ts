/** What LSF and OpenLava have in common: how a job is asked for, what it finds around it, and how it is ended. */
import { appendFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { chosen, directiveWords, type Options, optionsOf, type Table } from "./options.ts";
import type { Job, Queue } from "./queue.ts";
import { type Call, ctimeWithYear, failed, type Reply, type Run, type Step, said } from "./speaker.ts";

const table: Table = {
  ...Object.fromEntries("JoeWnRqPUmMbwGcikLtTE".split("").map((letter) => [`-${letter}`, true])),
  ...Object.fromEntries("xrHKIBN".split("").map((letter) => [`-${letter}`, false])),
  "-cwd": true,
};

export const runLimitDefault_s = 3600;

/** `bsub < script`. `more`: options of this dialect, and whether a value follows. */
export function bsub(call: Call, more: Table): Reply {
  const { queue, args, env, cwd } = call;
  const refuse = (why: string) => failed(255, `${why}. Job not submitted.\n`);
  const typed = optionsOf(args, { ...table, ...more });
  if (typed.unknown !== undefined) return refuse(`bsub: illegal option -- ${typed.unknown.slice(1)}\n`);
  const text = call.stdin();
  if (text === "") return refuse("No command is specified");
  // Directives count anywhere in a script, and of several the first.
  const written = optionsOf(directiveWords(text, "#BSUB", "anywhere"), { ...table, ...more });
  if (written.unknown !== undefined) return refuse(`bsub: illegal option -- ${written.unknown.slice(1)}\n`);
  const options = { given: [...typed.given, ...written.given], rest: typed.rest };
  const limit_s = limitOf(chosen(options, "-W"));
  if (limit_s === undefined) return refuse(`${chosen(options, "-W")}: Bad RUNLIMIT specification`);
  const [nodes, cores] = sizesOf(options);
  if (nodes > queue.cluster.nodes.length) return refuse("Too many processors requested");
  const asked = chosen(options, "-q");
  const found = queue.cluster.queues.find(({ name }) => name === (asked ?? queue.cluster.queues[0]?.name));
  if (found === undefined) return refuse(`${asked}: No such queue`);
  if (!found.open) return refuse(`${asked}: Queue has been closed`);
  const script = join(queue.dir, `script-${crypto.randomUUID()}`);
  writeFileSync(script, text, { mode: 0o700 });
  const fileOf = (option: string) => {
    const given = chosen(options, option);
    return given === undefined ? "" : isAbsolute(given) ? given : join(cwd, given);
  };
  const job = queue.submit({
    name: chosen(options, "-J") ?? text.trim().split("\n").at(-1) ?? "",
    owner: env.USER ?? "alice",
    queue: found.name,
    nodes,
    cores,
    walltime_s: limit_s,
    script,
    stdout: fileOf("-o"),
    stderr: fileOf("-e"),
    cwd,
    held: options.given.some(({ option }) => option === "-H"),
    env,
    words: args.join(" "),
    extra: { command: text.trim().replaceAll("\n", ";"), needs: chosen(options, "-R") ?? "" },
  });
  return said(`Job <${job.seq}> is submitted to ${asked === undefined ? "default " : ""}queue <${found.name}>.\n`);
}

/** `1:00` or minutes. */
function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return runLimitDefault_s;
  const match = text.match(/^(?:(\d+):)?(\d+)$/);
  return match === null ? undefined : Number(match[1] ?? 0) * 3600 + Number(match[2]) * 60;
}

/** Slots, so many on each host; or hosts. */
function sizesOf(options: Options): [number, number] {
  const hosts = chosen(options, "-nnodes");
  if (hosts !== undefined) return [Number(hosts), 1];
  const slots = Number(chosen(options, "-n") ?? 1);
  const each = Number(chosen(options, "-R")?.match(/span\[ptile=(\d+)\]/)?.[1] ?? slots);
  return [Math.ceil(slots / each), Math.min(each, slots)];
}

/** The environment of the submission, and what the batch system adds. */
export function lsfRun(job: Job, queue: Queue): Run {
  const slots = job.hosts.flatMap((host) => Array<string>(job.cores).fill(host));
  return {
    argv: [job.script],
    cwd: job.cwd,
    umask: 0o022,
    live: false,
    env: {
      ...job.env,
      PATH: `${join(queue.dir, "bin")}:${job.env.PATH ?? "/usr/bin:/bin"}`,
      LSB_JOBID: String(job.seq),
      LSB_JOBINDEX: "0",
      LSB_JOBNAME: job.name,
      LSB_QUEUE: job.queue,
      LSB_HOSTS: slots.join(" "),
      LSB_MCPU_HOSTS: job.hosts.map((host) => `${host} ${job.cores} `).join(""),
      LSB_SUB_HOST: "lava01",
      LS_SUBCWD: job.cwd,
      LSB_TRAPSIGS: "trap # 15 10 12 2 1",
    },
  };
}

/** A report like a mail, in the output file and only at the end. */
export function report(job: Job, _: Queue, output: { readonly stdout: string; readonly stderr: string }): void {
  const { end } = job;
  const how = end?.code === 0 ? "Successfully completed." : `Exited with exit code ${end?.code}.`;
  const text = [
    `Sender: LSF System <lsfadmin@${job.hosts[0]}>`,
    `Subject: Job ${job.seq}: <${job.name}> ${end?.code === 0 ? "Done" : "Exited"}`,
    "",
    `Started at ${ctimeWithYear(job.started_ms ?? 0)}`,
    `Results reported at ${ctimeWithYear(end?.at_ms ?? 0)}`,
    "",
    how,
    "",
    "The output (if any) follows:",
    "",
    output.stdout,
  ].join("\n");
  try {
    if (job.stdout !== "") appendFileSync(job.stdout, text);
    if (job.stderr !== "") appendFileSync(job.stderr, output.stderr);
  } catch {
    // The directory is missing: the job is none the worse for it.
  }
}

export const interruptTermKill: readonly Step[] = [
  { after_s: 0, signal: "SIGINT" },
  { after_s: 10, signal: "SIGTERM" },
  { after_s: 10, signal: "SIGKILL" },
];

/** `bkill`, `bstop`, `bresume`: a line for each job, good news on standard output and bad on standard error. */
export function ordering(name: "bkill" | "bstop" | "bresume"): (call: Call) => Reply {
  const doing = { bkill: "terminated", bstop: "stopped", bresume: "resumed" }[name];
  return ({ queue, args }) => {
    const force = args[0] === "-r";
    let [stdout, stderr] = ["", ""];
    for (const id of force ? args.slice(1) : args) {
      const job = /^\d+$/.test(id) ? queue.find(Number(id)) : undefined;
      if (job === undefined) stderr += `Job <${id}>: No matching job found\n`;
      else if (job.phase === "over") stderr += `Job <${id}>: Job has already finished\n`;
      else {
        if (name === "bkill") queue.remove(job.seq, force ? "kill" : "delete");
        else queue.hold(job.seq, name === "bstop");
        stdout += `Job <${id}> is being ${doing}\n`;
      }
    }
    return { code: stderr === "" ? 0 : 255, stdout, stderr };
  };
}

/** The word for a state: however a job was told to end, a script that ends with 0 is done. */
export function wordOf({ phase, end, started_ms }: Job): string {
  if (end !== undefined) return end.code === 0 && started_ms !== undefined ? "DONE" : "EXIT";
  return { pending: "PEND", held: "PSUSP", running: "RUN", over: "EXIT" }[phase];
}

/** The exit code that is told, signals added to 128; undefined for a job that never began. */
export function codeOf({ end, started_ms }: Job): number | undefined {
  return end === undefined || started_ms === undefined ? undefined : end.code;
}

/** `bhist -n 0 -l`: knows jobs that bjobs has forgotten. Lines are broken at 80 characters. */
export function bhist({ queue, args }: Call): Reply {
  const wanted = args.filter((word, i) => /^\d+$/.test(word) && args[i - 1] !== "-n").map(Number);
  const jobs = queue.all().filter(({ seq }) => wanted.includes(seq));
  if (jobs.length === 0) return failed(255, "", "No matching job found\n");
  const rule = `${"-".repeat(78)}\n`;
  return said(jobs.map(historyOf).join(rule));
}

function historyOf(job: Job): string {
  const { started_ms, end } = job;
  const at = (time_ms: number) => ctimeWithYear(time_ms).slice(0, 19);
  const name = `Job Name <${job.name}>, `;
  const cwd = `Execution CWD <${job.cwd}>`;
  const began =
    started_ms === undefined
      ? []
      : [
          `${at(started_ms)}: Dispatched to ${hostsOf(job)};`,
          `${at(started_ms)}: Starting (Pid ${job.pid ?? 0});`,
          `${at(started_ms)}: Running with execution home <${job.env.HOME}>, ${cwd}, Execution Pid <${job.pid ?? 0}>;`,
        ];
  const killed =
    end?.cause === "deleted"
      ? [`${at(end.at_ms)}: Signal <KILL> requested by user or administrator <${job.owner}>;`]
      : [];
  const code = codeOf(job);
  const how = code === 0 ? "Done successfully." : `Exited with exit code ${code}.`;
  const ended =
    end === undefined
      ? []
      : [
          started_ms === undefined
            ? `${at(end.at_ms)}: Exited;`
            : `${at(end.at_ms)}: ${how} The CPU time used is 0.0 seconds;`,
        ];
  const lines = [
    `Job Id <${job.seq}>, ${name}User <${job.owner}>, Project <default>, Command <${job.extra.command ?? ""}>`,
    `${at(job.submitted_ms)}: Submitted from host <lava01> to Queue <${job.queue}>, CWD <${job.cwd}>;`,
    "",
    " RUNLIMIT                ",
    ` ${(job.walltime_s / 60).toFixed(1)} min of lava01       `,
    ...began,
    ...killed,
    ...ended,
    "",
    `Summary of time in seconds spent in various states by  ${at(end?.at_ms ?? Date.now())}`,
    "  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL",
    "  1        0        17       0        0        0        18          ",
    "",
  ];
  return `\n${lines.map(broken).join("\n")}\n`;
}

export function hostsOf({ hosts }: Job): string {
  const several = hosts.length > 1 ? `${hosts.length} Hosts/Processors ` : "";
  return several + hosts.map((host) => `<${host}>`).join(" ");
}

/** Goes on below, 21 columns to the right. */
function broken(line: string): string {
  if (line.startsWith(" ")) return line;
  const parts = [line.slice(0, 79)];
  for (let at = 79; at < line.length; at += 58) parts.push(line.slice(at, at + 58));
  return parts.join(`\n${" ".repeat(21)}`);
}

/** `bqueues -l`, as far as anybody reads it. */
export function bqueues({ queue }: Call): Reply {
  const records = queue.cluster.queues.map(({ name, open }) => {
    const status = open ? "Open:Active" : "Closed:Active";
    const statistics = `PARAMETERS/STATISTICS\nPRIO NICE     STATUS\n  30  20    ${status}\n`;
    return `\nQUEUE: ${name}\n  -- No description provided.\n\n${statistics}\n`;
  });
  return said(records.join(`${"-".repeat(79)}\n`));
}
