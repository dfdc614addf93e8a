/** PBS Pro and OpenPBS, 14 and later. Seen at work: OpenPBS 23.06.06. */
import type { Answer, Capabilities } from "../outcome.ts";
import type { Profile } from "../profile.ts";
import { pbsDirectives } from "./directives.ts";
import { nodeFile, pbsAllocation, pbsHosts } from "./inside.ts";
import { qdel, qdelForce, qhold, qrls } from "./orders.ts";
import { qstat, qstatHistory, readQstatWide, sequenceOf } from "./status.ts";

export const pbspro: Profile = {
  name: "pbspro",
  title: "PBS Pro",
  commands: ["qsub", "qstat", "qdel", "qhold", "qrls"],
  unset: ["PBS_DPREFIX", "PBS_QSTAT_*", "QSTAT_*", "PBS_O_*", "PBS_JOBID", "PBS_NODEFILE", "GC_*"],
  refuses: ["qos", "constraint", "clusters", "gres", "parallel_environment"],
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 30, polls: 2 },
  probes: [
    { command: "qstat", args: ["--version"] },
    // Refused in words, with exit code 0, where there is no history; 0 is no block of ours.
    { command: "qstat", args: ["-x", "0"] },
  ],
  readProbe,
  script: {
    prefix: "#PBS",
    placement: "before_first_command",
    // Of several `-l walltime` the first counts (nextflow, pull request 2036).
    wins: "first",
    executable: false,
    live_output: false,
    quotes_paths: false,
  },
  directives: pbsDirectives,
  hosts: pbsHosts,
  submit: {
    command: "qsub",
    // `-f`: without, qsub leaves a process behind that keeps its standard output open.
    args: (script_path) => ["-f", script_path],
    by_stdin: false,
    ids: [/^(?<id>\d+(?:\[\d*\])?\.[\w.-]+)\s*$/],
    reads_stderr: false,
    exports_env: false,
    refusals: [
      { pattern: /End of File|Premature end|timed out/i, class: "ambiguous" },
      { pattern: /cannot connect to server|Connection refused|shutting down|No free connections/, class: "transient" },
      { pattern: /Maximum number of jobs|would exceed|limit on (number|resource)/, class: "limit" },
      { pattern: /Unauthorized Request|Access .* denied|Job violates|Queue is not enabled|hook/, class: "policy" },
      { pattern: /^qsub: /m, class: "config" },
    ],
  },
  keyOf: sequenceOf,
  observe: qstat,
  history: qstatHistory,
  find: { command: "qstat", args: ["-w"], read: readQstatWide },
  cancel: { term: qdel, force: qdelForce },
  hold: qhold,
  release: qrls,
  inside: { files: nodeFile, describe: pbsAllocation },
};

function readProbe([version, history]: readonly Answer[]): Capabilities {
  const found = version?.code === 0 ? version.stdout.match(/pbs_version = (\S+)/)?.[1] : undefined;
  const off = /not configured to maintain job history/.test(history?.stderr ?? "");
  return {
    present: found !== undefined,
    history: found !== undefined && !off,
    ...(found === undefined ? {} : { version: found }),
    notes: off ? ["Job history is off: how a block ended is known only from its own exit code"] : [],
  };
}
