/** Slurm, 20.11 and later. Seen at work: 22.05.8. */
import type { Answer, Capabilities } from "../outcome.ts";
import type { Profile } from "../profile.ts";
import { secondsOf } from "../walltime.ts";
import { slurmDirectives } from "./directives.ts";
import { slurmAllocation } from "./inside.ts";
import { cancel, forceCancel, hold, release } from "./orders.ts";
import { numberOf, sacct, squeue } from "./status.ts";

export const slurm: Profile = {
  name: "slurm",
  title: "Slurm",
  commands: ["sbatch", "squeue", "sacct", "scancel", "scontrol"],
  // The rest of SLURM_*, above all SLURM_CONF, belongs to the site. An endpoint may itself run inside a job.
  unset: [
    ...["SBATCH_*", "SQUEUE_*", "SACCT_*", "SCANCEL_*", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT", "SLURM_EXPORT_ENV"],
    ...[
      "SLURM_JOB_*",
      "SLURM_JOBID",
      "SLURM_NODELIST",
      "SLURM_NNODES",
      "SLURM_NPROCS",
      "SLURM_NTASKS*",
      "SLURM_TASKS_*",
    ],
    ...["SLURM_STEP*", "SLURM_CPU*", "SLURM_MEM_*", "SLURM_GPUS*", "SLURM_RESTART_COUNT", "GC_*"],
  ],
  // A busy controller takes tens of seconds for a submission.
  refuses: ["select_options", "parallel_environment"],
  clusterArgs: (cluster) => ["-M", cluster],
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 60, polls: 2 },
  probes: [
    { command: "sbatch", args: ["--version"] },
    { command: "sacct", args: ["-X", "-n", "-P", "-o", "JobIDRaw"] },
    { command: "scontrol", args: ["show", "config"] },
  ],
  readProbe,
  script: {
    prefix: "#SBATCH",
    placement: "before_first_command",
    wins: "last",
    executable: false,
    live_output: true,
    quotes_paths: true,
  },
  directives: slurmDirectives,
  hosts: ['scontrol show hostnames "$SLURM_JOB_NODELIST" >"$GC_HOSTS"'],
  submit: {
    command: "sbatch",
    args: (script_path) => ["--parsable", script_path],
    by_stdin: false,
    // Plain, `--parsable`, with the cluster in either form (providers.md §2.2).
    ids: [/^(?:Submitted batch job )?(?<id>\d+)(?:;(?<cluster>\S+)| on cluster (?<cluster_name>\S+))?\s*$/i],
    reads_stderr: false,
    exports_env: true,
    refusals: [
      { pattern: /Socket timed out|temporarily unable to accept/, class: "ambiguous" },
      { pattern: /Unable to contact slurm controller|Rate limit exceeded|connect failure/, class: "transient" },
      { pattern: /MaxJobCount|AssocMaxSubmitJobLimit|QOSMaxSubmitJob|job submit limit/, class: "limit" },
      { pattern: /not permitted|violates accounting\/QOS policy|Access\/permission denied/, class: "policy" },
      // The partition may come up again.
      { pattern: /Required partition not available|Required node not available/, class: "transient" },
      { pattern: /Batch job submission failed: |unrecognized option|Invalid --|invalid partition/, class: "config" },
      { pattern: /Batch script|batch script|Unable to open file|No cluster '/, class: "config" },
    ],
  },
  keyOf: (id) => numberOf({ id }),
  observe: squeue,
  history: sacct,
  find: { command: "squeue", args: squeue.args([]), read: (answer) => squeue.read(answer, []) },
  cancel: { term: cancel, force: forceCancel },
  hold,
  release,
  inside: { files: () => [], describe: slurmAllocation },
};

function readProbe([version, accounting, config]: readonly Answer[]): Capabilities {
  const found = version?.code === 0 ? version.stdout.match(/^slurm\S* (\S+)/m)?.[1] : undefined;
  const age = config?.stdout.match(/^MinJobAge\s*=\s*(\d+)/m)?.[1];
  const history = accounting?.code === 0;
  const disabled = /accounting storage is disabled/.test(accounting?.stderr ?? "");
  return {
    present: found !== undefined,
    history,
    ...(found === undefined ? {} : { version: found }),
    ...(age === undefined ? {} : { retention_s: secondsOf(age) ?? 0 }),
    notes: [
      ...(disabled ? ["Accounting is off: how a block ended is known only while the controller remembers it"] : []),
      ...(found !== undefined && Number(age ?? 300) < 60
        ? ["The controller forgets blocks within a minute (MinJobAge)"]
        : []),
    ],
  };
}
