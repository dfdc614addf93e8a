/**
 * `pbsdsh`, `blaunch` and `qrsh -inherit` of the fakes: start a command on nodes of the job, all this machine, in a
 * session of its own and with little in its environment. Usage: remote.ts DIR COMMAND ARGS….
 */

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { Queue } from "./queue.ts";
import { accountEnv } from "./speaker.ts";

const [, , dir = "", command = "", ...args] = process.argv;
const queue = new Queue(dir);
const id = process.env.PBS_JOBID ?? process.env.LSB_JOBID ?? process.env.JOB_ID ?? "";
const job = queue.find(Number.parseInt(id, 10));
queue.note(command, args);
if (job === undefined) {
  console.error(`${command}: not inside a job on ${hostname()}`);
  process.exit(1);
}

const { nodes, argv } = asked();
for (const node of nodes) {
  if (job.hosts.includes(node)) continue;
  console.error(`${command}: ${node} is no node of job ${id}`);
  process.exit(1);
}

const env = { ...accountEnv(job), PATH: "/bin:/usr/bin", ...passed() };
const children = nodes.map((node) =>
  Bun.spawn(argv, {
    cwd: job.env.HOME ?? "/",
    env: { ...env, HOSTNAME: node },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    detached: true,
  }),
);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop());
const codes = await Promise.all(children.map(({ exited }) => exited));
// What the tasks return is not passed on by pbsdsh (seen on OpenPBS 23.06).
process.exit(command === "pbsdsh" ? 0 : Math.max(...codes));

/** Which nodes, and what. */
function asked(): { nodes: readonly string[]; argv: string[] } {
  if (command === "blaunch") {
    const at = args.indexOf("-z");
    return { nodes: (args[at + 1] ?? "").trim().split(/\s+/), argv: args.slice(at + 2) };
  }
  if (command === "qrsh") {
    const [node = "", ...words] = args.filter((word) => word !== "-inherit" && word !== "-nostdin");
    // It joins its words and hands them to a shell.
    return { nodes: [node], argv: ["/bin/sh", "-c", words.join(" ")] };
  }
  const lines = readFileSync(process.env.PBS_NODEFILE ?? "", "utf8")
    .trim()
    .split("\n");
  if (args[0] === "-u") return { nodes: [...new Set(lines)], argv: args.slice(1) };
  const line = Number(args[args.indexOf("-n") + 1]);
  return { nodes: [lines[line] ?? lines[0] ?? ""], argv: args.slice(args.indexOf("--") + 1) };
}

/** What a batch system adds on every node. */
function passed(): { [name: string]: string } {
  const own = Object.entries(process.env).filter(([name]) => /^(PBS_|LSB_|JOB_ID$|PE_HOSTFILE$)/.test(name));
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? ""]));
}

/** pbsdsh and blaunch pass the signal on; qrsh kills without a word and is content. */
function stop(): void {
  for (const child of children) child.kill(command === "qrsh" ? "SIGKILL" : "SIGTERM");
  if (command === "qrsh") process.exit(0);
}
