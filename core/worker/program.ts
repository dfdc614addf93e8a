/**
 * A program of several ranks: its piece of the block as files and variables, the words that start it, and which rank
 * failed. Its folder lies in that of the worker, which all nodes of a block see; it goes when the program is over.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { removeTree } from "../host/files.ts";
import type { MpiSettings } from "../schema/launcher.ts";
import type { Outcome } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import { rankFault, rankShape } from "../task/ranks.ts";
import type { Exit } from "./attempt.ts";
import type { Command } from "./command.ts";
import type { Harvest } from "./decision.ts";
import { failedRankIn, firstOf, lostNodeIn, readNote } from "./failed_rank.ts";
import { pieceNames, scrubbed, slurmPiece } from "./launch_environment.ts";
import { hostLines, launchWords, type MpiLauncher, type Piece, tagsPieces } from "./launch_lines.ts";
import { findLauncher } from "./mpi_site.ts";
import type { Capture } from "./output.ts";
import { launchScript, wholeLinesProgram } from "./whole_lines.ts";

/** What is the same for all programs of a worker. */
export interface ProgramPlaces {
  /** The folder of the worker. */
  readonly dir: string;
  readonly hostname: string;
  readonly cores: number;
  readonly settings: MpiSettings;
  readonly env: { readonly [name: string]: string };
}

/** One program, ready to start. */
export interface Program {
  /** The words before its own. */
  readonly prefix: readonly string[];
  /** The worker's environment without what its own launcher left there. */
  readonly base: { readonly [name: string]: string };
  /** What the program is told; its own settings win. */
  readonly told: { readonly [name: string]: string };
  /** Its steps at Slurm, by name; undefined elsewhere. */
  readonly steps: string | undefined;
  readonly dir: string;
}

/** Where launchers tell a rank its number. Slurm's comes last: mpiexec's helpers are steps of Slurm too. */
const rankVariables = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PALS_RANKID", "JSM_NAMESPACE_RANK", "ALPS_APP_PE"];

/** Starts one rank, and notes how it failed, each in a file of its own: a shared one would lose notes on NFS. */
const rankScript = `"$@"
code=$?
[ "$code" -eq 0 ] && exit 0
for rank in ${rankVariables.map((name) => `"$${name}"`).join(" ")} "$PMI_RANK" "$SLURM_PROCID" "?$$"; do
  [ -n "$rank" ] && break
done
note="\${0%/*}/failed.$rank"
now=$(date +%s%N)
echo "$rank \${SLURMD_NODENAME:-$(uname -n)} $code $now" >"$note.new" 2>/dev/null && mv "$note.new" "$note"
exit "$code"
`;

/** The programs of one worker. */
export class Programs {
  readonly #places: ProgramPlaces;
  #launcher: MpiLauncher | undefined;

  constructor(places: ProgramPlaces) {
    this.#places = places;
  }

  /**
   * Lays out what a task of several ranks needs, or says why it cannot start here; undefined for any other task.
   * `nodes`: what it was given, the lead first. @throws the error of the file system.
   */
  prepare(
    { spec, tid, attempt }: { spec: TaskSpec; tid: string; attempt: number },
    nodes: readonly string[] | undefined,
  ): Program | { outcome: Outcome } | undefined {
    const asked = spec.resources ?? {};
    const fault = rankFault(asked);
    if (fault !== undefined) return refused(`${fault}`);
    const shape = rankShape(asked);
    if (shape === undefined) return undefined;
    const { hostname, env, settings } = this.#places;
    const given = nodes ?? [hostname];
    if (given.length !== shape.nodes) return refused(`It needs ${shape.nodes} nodes and was given ${given.length}`);
    this.#launcher ??= findLauncher(settings.launcher, scrubbed(env));
    const launcher = this.#launcher;
    if (launcher === undefined) return this.#missing();
    const dir = join(this.#places.dir, "programs", `${tid}.${attempt}`);
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    const piece = this.#piece(spec, given, dir, `gc-${tid.slice(0, 8)}-${tid.slice(-4)}.${attempt}`);
    return this.#layOut(launcher, piece, dir);
  }

  /** It is over: finds the rank that failed first, if it failed, and removes its folder. */
  end({ dir }: Program, exit: Exit, stderr: Capture, harvest: Harvest): void {
    try {
      if (exit.code === 0) return;
      const said = endOf(stderr);
      const lost = lostNodeIn(said);
      if (lost !== undefined) harvest.lost_node = lost;
      const notes = namesIn(dir)
        .filter((name) => /^failed\.[^.]+$/.test(name))
        .flatMap((name) => readNote(fs.readFileSync(join(dir, name), "latin1")) ?? []);
      const failed = firstOf(notes) ?? failedRankIn(said);
      if (failed !== undefined) harvest.failed_rank = failed;
    } finally {
      removeTree(dir);
    }
  }

  remove({ dir }: Program): void {
    removeTree(dir);
  }

  #piece(spec: TaskSpec, given: readonly string[], dir: string, name: string): Piece {
    const { cores, gpus = 0, launcher_options = "" } = spec.resources ?? {};
    const shape = rankShape(spec.resources ?? {}) ?? { ranks: 1, ranks_per_node: 1 };
    const { ranks, ranks_per_node } = shape;
    const { env, settings } = this.#places;
    // Slurm knows its nodes by names that may be shorter than the hosts' own.
    const short = env.SLURMD_NODENAME !== undefined && !env.SLURMD_NODENAME.includes(".");
    const node_cores = this.#places.cores;
    return {
      hosts: short ? given.map((host) => host.replace(/\..*/, "")) : given,
      ranks,
      ranks_per_node,
      cores: cores ?? Math.max(1, Math.floor(node_cores / ranks_per_node)),
      node_cores,
      gpus,
      label: spec.label_ranks === true,
      name,
      hostfile: join(dir, "hosts"),
      options: [settings.options ?? "", launcher_options]
        .join(" ")
        .split(/\s+/)
        .filter((word) => word !== ""),
      local: given.length === 1 && !schedulerVariables.some((variable) => env[variable] !== undefined),
    };
  }

  #layOut(launcher: MpiLauncher, piece: Piece, dir: string): Program {
    const { env } = this.#places;
    const write = (name: string, text: string): void => fs.writeFileSync(join(dir, name), text, { mode: 0o600 });
    write("hosts", `${hostLines(launcher.kind, piece, blockHosts(env)).join("\n")}\n`);
    write("nodes", `${piece.hosts.join("\n")}\n`);
    write("rank", rankScript);
    const mends = tagsPieces(launcher);
    if (mends) write("launch", launchScript);
    if (mends) write("whole.awk", wholeLinesProgram(piece.label));
    const chosen = piece.options.some((word) => word.startsWith("--mpi")) ? { ...launcher, mpi: undefined } : launcher;
    const before = mends ? ["/bin/sh", join(dir, "launch")] : [];
    const prefix = [...before, ...launchWords(chosen as MpiLauncher, piece), "/bin/sh", join(dir, "rank")];
    const text = prefix.join(" ");
    const slurm = env.SLURM_JOB_ID !== undefined;
    const root = process.getuid?.() === 0 ? { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" } : {};
    const told = {
      ...(slurm ? slurmPiece(piece) : {}),
      ...(launcher.kind === "openmpi" ? root : {}),
      ...pieceNames(piece, join(dir, "nodes")),
      GC_MPI_PREFIX: text,
      PARSL_MPI_PREFIX: text,
      [`PARSL_${parslName(launcher)}_PREFIX`]: text,
    };
    return { prefix, base: scrubbed(env), told, steps: slurm ? piece.name : undefined, dir };
  }

  #missing(): { outcome: Outcome } {
    const wanted = this.#places.settings.launcher ?? "mpiexec";
    const reason =
      `The MPI launcher "${wanted}" was not found in PATH on ${this.#places.hostname}; ` +
      "load its module in worker_init, or name another by mpi_launcher in config.yaml";
    return { outcome: { class: "fail", cause: "spawn", exit_code: 127, reason } };
  }
}

/** Makes the command of a task that of its program: a script and a Python function start its ranks themselves. */
export function addProgram(command: Command, { prefix, told }: Program, spec: TaskSpec): void {
  Object.assign(command.env, { ...told, ...spec.env });
  if (spec.argv !== undefined) command.argv = [...prefix, ...command.argv];
}

/** Variables that tell that mpiexec will ask a scheduler where to run. */
const schedulerVariables = ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "COBALT_JOBID", "PE_HOSTFILE"];

function parslName({ kind, program }: MpiLauncher): string {
  if (kind === "srun" || kind === "aprun") return kind.toUpperCase();
  return program === "jsrun" ? "JSRUN" : "MPIEXEC";
}

/** The nodes of the block as LSF lists them; the first, with one slot among nodes with many, only launches. */
function blockHosts({ LSB_MCPU_HOSTS }: { readonly [name: string]: string }): string[] {
  const words = (LSB_MCPU_HOSTS ?? "").split(/\s+/).filter((word) => word !== "");
  const pairs = words.flatMap((host, at) => (at % 2 === 0 ? [{ host, slots: Number(words[at + 1]) }] : []));
  const launches = pairs.length > 1 && pairs[0]?.slots === 1 && (pairs[1]?.slots ?? 1) > 1;
  return pairs.slice(launches ? 1 : 0).map(({ host }) => host);
}

function endOf(stderr: Capture): string {
  const size = stderr.size();
  return Buffer.from(stderr.read(Math.max(0, size - endBytes), endBytes)).toString("latin1");
}

const endBytes = 64 * 1024;

function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch {
    return [];
  }
}

function refused(why: string): { outcome: Outcome } {
  return { outcome: { class: "fail", cause: "refused", exit_code: 125, reason: `It can never run here: ${why}` } };
}
