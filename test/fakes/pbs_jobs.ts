/** What PBS Pro and Torque have in common: how a job is asked for, and what it finds around it. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { chosen, directiveWords, type Options, optionsOf, secondsOf, type Table } from "./options.ts";
import type { Job, Queue, Request } from "./queue.ts";
import { accountEnv, type Call, failed, type Reply, type Run, type Step } from "./speaker.ts";

export const walltimeDefault_s = 300;

/** Options of both; each knows some more. */
const table: Table = {
  ...Object.fromEntries("aACeJjklMmNopqrSuvW".split("").map((letter) => [`-${letter}`, true])),
  ...Object.fromEntries("hIVXz".split("").map((letter) => [`-${letter}`, false])),
};

/** `-l a=1,b=2` and `-l c=3` → each name with its value; the first counts. */
export function resourcesOf({ given }: Options): Map<string, string> {
  const found = new Map<string, string>();
  for (const { option, value } of given) {
    if (option !== "-l") continue;
    for (const part of value.split(",")) {
      const at = part.indexOf("=");
      const name = at < 0 ? part : part.slice(0, at);
      if (!found.has(name)) found.set(name, at < 0 ? "" : part.slice(at + 1));
    }
  }
  return found;
}

/** What was asked for, or how it was refused. */
export interface Asked {
  readonly path: string;
  readonly options: Options;
  readonly resources: Map<string, string>;
}

export function askedOf({ args, cwd }: Call, more: Table, prefix: string): Asked | Reply {
  const typed = optionsOf(args, { ...table, ...more });
  if (typed.unknown !== undefined) return failed(2, `qsub: invalid option -- '${typed.unknown.slice(1, 2)}'\n`);
  const path = resolve(cwd, typed.rest[0] ?? "-");
  if (!existsSync(path)) return failed(1, "qsub: script file:: No such file or directory\n");
  const text = readFileSync(path, "utf8");
  if (text.includes("\r\n")) return failed(1, "qsub: script contains cr, lf\n");
  const written = optionsOf(directiveWords(text, prefix, "before_first_command"), { ...table, ...more });
  if (written.unknown !== undefined) {
    const words = `qsub: invalid option -- '${written.unknown.slice(1, 2)}'\n`;
    return failed(1, `${words}qsub: directive error: ${written.unknown} \n`);
  }
  const options = { given: [...typed.given, ...written.given], rest: typed.rest };
  return { path, options, resources: resourcesOf(options) };
}

export function isReply(value: object): value is Reply {
  return "stderr" in value;
}

/** The request that goes into the queue. The script is copied, as PBS does: what becomes of the file is no matter. */
export function requestOf(call: Call, asked: Asked, nodes: number, cores: number): Request | undefined {
  const { options, resources, path } = asked;
  const walltime_s = secondsOf(resources.get("walltime") ?? String(walltimeDefault_s));
  if (walltime_s === undefined) return undefined;
  const { queue, env, cwd, args } = call;
  const script = join(queue.dir, `script-${crypto.randomUUID()}`);
  copyFileSync(path, script);
  const name = chosen(options, "-N") ?? path.split("/").at(-1) ?? "";
  const fileOf = (option: string, end: string) => {
    const given = chosen(options, option);
    return given === undefined || !isAbsolute(given) ? join(cwd, `${name}.${end}`) : given;
  };
  return {
    name,
    owner: env.USER ?? "alice",
    queue: chosen(options, "-q") ?? queue.cluster.queues[0]?.name ?? "",
    nodes,
    cores,
    walltime_s,
    script,
    stdout: fileOf("-o", "o"),
    stderr: fileOf("-e", "e"),
    cwd,
    held: options.given.some(({ option }) => option === "-h"),
    env,
    words: args.join(" "),
    extra: {},
  };
}

export function pbsRun(job: Job, queue: Queue, id: string, more: { [name: string]: string }): Run {
  const aux = join(queue.dir, "aux");
  mkdirSync(aux, { recursive: true });
  const nodefile = join(aux, id);
  writeFileSync(nodefile, job.hosts.flatMap((host) => Array<string>(job.cores).fill(`${host}\n`)).join(""));
  const home = job.env.HOME ?? "/";
  return {
    argv: ["/bin/bash", job.script],
    // Not where it was submitted, without what was exported there, and with private files.
    cwd: home,
    umask: 0o077,
    live: false,
    env: {
      ...accountEnv(job),
      PATH: `${join(queue.dir, "bin")}:/usr/local/bin:/usr/bin:/bin`,
      ENVIRONMENT: "BATCH",
      PBS_ENVIRONMENT: "PBS_BATCH",
      PBS_JOBID: id,
      PBS_JOBNAME: job.name,
      PBS_NODEFILE: nodefile,
      PBS_NODENUM: "0",
      PBS_O_HOME: home,
      PBS_O_WORKDIR: job.cwd,
      PBS_O_QUEUE: job.queue,
      PBS_QUEUE: job.queue,
      ...more,
    },
  };
}

/** The files of a job come to where they were wanted, if there is such a place. */
export function deliver(job: Job, _: Queue, output: { readonly stdout: string; readonly stderr: string }): void {
  for (const kind of ["stdout", "stderr"] as const) {
    try {
      writeFileSync(job[kind], output[kind], { mode: 0o600 });
    } catch {
      // The directory is missing: the job is none the worse for it.
    }
  }
}

export const termThenKill: readonly Step[] = [
  { after_s: 0, signal: "SIGTERM" },
  { after_s: 10, signal: "SIGKILL" },
];
export const killAtOnce: readonly Step[] = [{ after_s: 0, signal: "SIGKILL" }];

/** `12` of `12.pbshead` and of `12.pbshead.site.org`. */
export function sequenceIn(id: string): number {
  return Number(id.match(/^\d+/)?.[0] ?? -1);
}
