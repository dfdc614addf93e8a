/** The Slurm of virtual nodes that `start` makes, for tests: begun, asked, broken and ended from here. Needs root. */
import { join } from "node:path";
import { until } from "../e2e/until.ts";

const here = import.meta.dir;
/** What the batch system of this machine may be asked for; two cores each, so that a block of two fills a node. */
const size = ["--nodes", "36", "--cpus", "2"];

/** One row of the queue, with jobs that ended lately. */
export interface Job {
  readonly id: string;
  readonly state: string;
  readonly nodes: string;
  /** Where its standard error goes: tells whose block it is. */
  readonly stderr: string;
}

/** Why there can be no Slurm here; undefined when it runs. */
export function startSlurm(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  if (Bun.which("apt-get") === null && Bun.which("slurmctld") === null) return "no Slurm, and no apt-get";
  const { success, stderr } = run(["bash", join(here, "start"), ...size]);
  return success ? undefined : `Slurm does not start: ${stderr.toString().trim().slice(-300)}`;
}

export function stopSlurm(): void {
  run(["bash", join(here, "stop"), "--quiet"]);
}

/** Jobs of the blocks of one endpoint, those that ended too. */
export function jobsOf(endpoint: string): Job[] {
  const format = "%i|%T|%N";
  const { stdout, success } = run(["squeue", "-h", "-a", "-t", "all", "-o", format]);
  if (!success) return [];
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", state = "", nodes = ""] = line.split("|");
      return { id, state, nodes, stderr: stderrOf(id) };
    })
    .filter(({ stderr }) => stderr.includes(`/endpoints/${endpoint}/`));
}

/** Those that wait or run. */
export function living(endpoint: string): Job[] {
  return jobsOf(endpoint).filter(({ state }) => /^(PENDING|RUNNING|CONFIGURING|COMPLETING|SUSPENDED)$/.test(state));
}

export function running(endpoint: string): Job[] {
  return jobsOf(endpoint).filter(({ state }) => state === "RUNNING");
}

/** The paths of standard error never change, so every job is asked about once. */
const stderrs = new Map<string, string>();

function stderrOf(id: string): string {
  const known = stderrs.get(id);
  if (known !== undefined) return known;
  const { stdout } = run(["scontrol", "-o", "show", "job", id]);
  const [, path = ""] = / StdErr=(\S+)/.exec(stdout.toString()) ?? [];
  if (path !== "") stderrs.set(id, path);
  return path;
}

/** An order to Slurm that must be taken. */
export function slurm(...argv: string[]): void {
  const { success, stderr } = run(argv);
  if (!success) throw new Error(`${argv.join(" ")}: ${stderr.toString().trim()}`);
}

/** A node loses power, or gets it back. */
export function power(what: "fail" | "boot", node: string): void {
  slurm("bash", join(here, "node"), what, node);
}

/** The controller is away for `ms`; nodes and what runs on them go on. */
export async function withoutController(ms: number, meanwhile: () => Promise<void>): Promise<void> {
  const lib = join(here, "lib.sh");
  slurm("bash", "-c", `. ${lib}; end slurmctld TERM 10`);
  const began_ms = performance.now();
  try {
    await meanwhile();
    await Bun.sleep(Math.max(0, ms - (performance.now() - began_ms)));
  } finally {
    slurm("bash", "-c", `. ${lib}; export SLURM_CONF=$CONF; daemon slurmctld slurmctld -D -f "$CONF"`);
    await until(() => run(["squeue", "-h"]).success, "the controller", 30_000, 200);
  }
}

function run(argv: string[]) {
  return Bun.spawnSync(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
}
