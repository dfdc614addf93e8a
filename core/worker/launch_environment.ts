/**
 * The environment in which a launcher starts. The worker itself was started by one, as a step of the block, and what
 * that step's launcher left (its own rank, its node list, its keys) would be taken for the program's own: mpiexec then
 * believes it is a rank, and srun asks for what the block was asked for (providers.md §2.8 iv, §13.3 f). So that goes,
 * what people set for their MPI library stays, and Slurm's variables describe the piece instead of the block.
 */
import type { Piece } from "./launch_lines.ts";

/** Of `SLURM_*`, what belongs to the site, to the job as a whole or to the user's taste. */
const slurmKept = new RegExp(
  `^SLURM_(${[
    ...["CONF", "CLUSTER_NAME", "WORKING_CLUSTER", "RESTART_COUNT", "SUBMIT_\\w+", "ARRAY_\\w+", "UMASK"],
    ...["JOB_ID", "JOBID", "JOB_(USER|UID|GID|ACCOUNT|PARTITION|QOS|RESERVATION|START_TIME|END_TIME)"],
    ...["MPI_TYPE", "HINT", "DEBUG"],
  ].join("|")})$`,
);
/** What launchers tell their ranks. Of Open MPI's settings only those that its daemons make. */
const ofLauncher = [
  /^(PMI|PMIX|PALS|JSM|HYDI|MPIR|ALPS_APP)_/,
  /^MPI_LOCALN?RANK/,
  /^OMPI_(?!MCA_|ALLOW_)/,
  /^OMPI_MCA_(ess|orte|pmix|plm|ras|rmaps|mpi_oversubscribe|initial_wdir|shmem_RUNTIME|state|hnp)/,
  /^PRTE_(?!MCA_)|^PRTE_MCA_(ess|prte|pmix|plm|ras|rmaps|state)/,
  /^SRUN_/,
];

/** `env` without what the worker's own launcher left in it. */
export function scrubbed(env: { readonly [name: string]: string }): { [name: string]: string } {
  const kept = Object.entries(env).filter(([name]) => {
    if (name.startsWith("SLURM")) return slurmKept.test(name);
    return !ofLauncher.some((pattern) => pattern.test(name));
  });
  return Object.fromEntries(kept);
}

/**
 * What Slurm would say if the piece were the whole job: mpiexec of Open MPI, MPICH and Intel read it, and start their
 * helpers by srun, which must not wait for the worker's step to end. The name is how these steps are found again;
 * inside a job srun ignores SLURM_JOB_NAME (srun(1)).
 */
export function slurmPiece({ hosts, ranks_per_node, name }: Piece): { [name: string]: string } {
  const nodes = hosts.join(",");
  const count = String(hosts.length);
  const more = `--overlap --mem=0 --job-name=${name}`;
  return {
    SLURM_JOB_NODELIST: nodes,
    SLURM_NODELIST: nodes,
    SLURM_JOB_NUM_NODES: count,
    SLURM_NNODES: count,
    SLURM_TASKS_PER_NODE: `${ranks_per_node}(x${count})`,
    OMPI_MCA_plm_slurm_args: more,
    PRTE_MCA_plm_slurm_args: more,
    HYDRA_LAUNCHER_EXTRA_ARGS: more,
    I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS: more,
  };
}

/** What a program is told of its piece, under our names and those of Parsl (providers.md §19.3). */
export function pieceNames({ hosts, ranks, ranks_per_node, hostfile }: Piece, nodes_path: string) {
  const nodes = hosts.join(",");
  return {
    GC_NODELIST: nodes,
    GC_NODEFILE: nodes_path,
    GC_HOSTFILE: hostfile,
    GC_NUM_NODES: String(hosts.length),
    GC_RANKS: String(ranks),
    GC_RANKS_PER_NODE: String(ranks_per_node),
    PARSL_NUM_NODES: String(hosts.length),
    PARSL_NUM_RANKS: String(ranks),
    PARSL_RANKS_PER_NODE: String(ranks_per_node),
    PARSL_MPI_NODELIST: nodes,
  };
}
