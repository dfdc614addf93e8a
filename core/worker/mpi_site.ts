/**
 * Which MPI launcher there is on this node, and which of the programs with its name it is. Asked once for each worker,
 * when its first MPI program comes; a few tens of milliseconds.
 */
import { askCommand, findCommand } from "../host/command.ts";
import type { MpiSettings } from "../schema/launcher.ts";
import type { LauncherKind, MpiLauncher } from "./launch_lines.ts";

type Environment = { readonly [name: string]: string };

/** The launcher that `wanted` names, or the one that this place suggests; undefined when it is not there. */
export function findLauncher(wanted: MpiSettings["launcher"], env: Environment): MpiLauncher | undefined {
  for (const program of wanted === undefined ? usual(env) : [wanted]) {
    if (findCommand(program, env.PATH ?? "") === undefined) continue;
    if (program === "srun") return srun(env);
    if (program === "jsrun" || program === "aprun") return { kind: program, program };
    return { program, ...kindOf(askCommand([program, "--version"], { env })) };
  }
  return undefined;
}

/** The scheduler's own launcher first, inside one of its jobs; otherwise the MPI library's. */
function usual(env: Environment): string[] {
  if (env.SLURM_JOB_ID !== undefined) return ["srun", "mpiexec", "mpirun"];
  if (env.LSB_JOBID !== undefined) return ["jsrun", "mpiexec", "mpirun"];
  if (env.COBALT_JOBID !== undefined) return ["aprun", "mpiexec", "mpirun"];
  return ["mpiexec", "mpirun"];
}

/** Whose `mpiexec` or `mpirun` it is, from its version text. */
export function kindOf(text: string): { kind: LauncherKind; major?: number } {
  const [, major] = /\((?:Open MPI|OpenRTE|PRRTE)\) v?(\d+)/.exec(text) ?? [];
  if (/Open MPI|OpenRTE|PRRTE/.test(text)) {
    // PRRTE 3 comes with Open MPI 5.
    const number = Number(major ?? 4);
    return { kind: "openmpi", major: /PRRTE/.test(text) ? Math.max(number, 5) : number };
  }
  return { kind: /PALS/.test(text) ? "pals" : "hydra" };
}

/**
 * Where the site's default is `none`, every rank would believe to be alone (seen on 22.05). PMIx is what Open MPI and
 * recent MPICH speak; who needs another says `--mpi=pmi2` in the launcher's options.
 */
function srun(env: Environment): MpiLauncher {
  const launcher: MpiLauncher = { kind: "srun", program: "srun" };
  if (env.SLURM_MPI_TYPE !== undefined) return launcher;
  if (!/^MpiDefault\s*=\s*none\s*$/m.test(askCommand(["scontrol", "show", "config"], { env }))) return launcher;
  const mpi = mpiTypeOf(askCommand(["srun", "--mpi=list"], { env }));
  return mpi === undefined ? launcher : { ...launcher, mpi };
}

/** The best of what `srun --mpi=list` names. */
export function mpiTypeOf(list: string): string | undefined {
  const known = new Set(list.split(/[\s,:]+/));
  return ["pmix", "cray_shasta", "pmi2"].find((name) => known.has(name));
}
