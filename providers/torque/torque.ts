/**
 * Torque, also below Moab or Maui. Like PBS Pro by its commands, unlike it by what they print: `qstat -x` is XML, and
 * no history (providers.md §4). No running Torque was at hand: what is here is from its sources and its drivers.
 */
import type { Answer, Capabilities } from "../outcome.ts";
import { nodeFile, pbsAllocation, pbsHosts } from "../pbspro/inside.ts";
import { qdel, qhold, qrls } from "../pbspro/orders.ts";
import { sequenceOf } from "../pbspro/status.ts";
import type { Profile } from "../profile.ts";
import { torqueDirectives } from "./directives.ts";
import { qstatXml, readQstatXml } from "./status.ts";

export const torque: Profile = {
  name: "torque",
  title: "Torque",
  commands: ["qsub", "qstat", "qdel", "qhold", "qrls"],
  unset: ["PBS_DPREFIX", "PBS_QSTAT_*", "PBS_O_*", "PBS_JOBID", "PBS_NODEFILE", "GC_*"],
  refuses: ["clusters", "gres", "select_options", "parallel_environment"],
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 60, polls: 3 },
  probes: [{ command: "qstat", args: ["--version"] }],
  readProbe,
  script: {
    prefix: "#PBS",
    placement: "before_first_command",
    wins: "first",
    executable: false,
    live_output: false,
    quotes_paths: false,
  },
  directives: torqueDirectives,
  hosts: pbsHosts,
  submit: {
    command: "qsub",
    args: (script_path) => [script_path],
    by_stdin: false,
    // With msub of Moab in the place of qsub: Moab.123, or a bare number.
    ids: [/^(?<id>\d+(?:\[\d*\])?\.[\w.-]+)\s*$/, /^(?<id>(?:Moab\.)?\d+)\s*$/],
    reads_stderr: false,
    exports_env: false,
    refusals: [
      { pattern: /End of File|Premature end|timed out|Communication failure/i, class: "ambiguous" },
      { pattern: /cannot connect to server|Connection refused|shutting down|No free connections/, class: "transient" },
      { pattern: /Maximum number of jobs|would exceed|limit on/, class: "limit" },
      { pattern: /Unauthorized Request|Access .* denied|violates|Queue is not enabled|filter/, class: "policy" },
      { pattern: /^qsub: /m, class: "config" },
    ],
  },
  keyOf: sequenceOf,
  observe: qstatXml,
  find: { command: "qstat", args: ["-x"], read: (answer) => readQstatXml(answer) },
  // Only an operator may purge (`qdel -p`), so there is nothing stronger.
  cancel: { term: qdel, force: qdel },
  hold: qhold,
  release: qrls,
  inside: {
    files: nodeFile,
    describe(view) {
      const found = pbsAllocation(view);
      if (found === undefined) return undefined;
      const gpus = gpusPerNode(view.text(view.env.PBS_GPUFILE ?? ""), found.nodes.length);
      return { ...found, ...(gpus > 0 ? { gpus_per_node: gpus } : {}) };
    },
  },
};

/** Lines like `host-gpu0`. */
function gpusPerNode(text: string | undefined, nodes: number): number {
  const lines = (text ?? "").split("\n").filter((line) => /-gpu\d+\s*$/.test(line));
  return Math.floor(lines.length / nodes);
}

function readProbe([version]: readonly Answer[]): Capabilities {
  const said = `${version?.stdout ?? ""}\n${version?.stderr ?? ""}`;
  const found = /pbs_version/.test(said) ? undefined : said.match(/^(?:Torque )?Version: (\d\S*)/m)?.[1];
  return {
    present: found !== undefined,
    history: false,
    ...(found === undefined ? {} : { version: found }),
    notes: [],
  };
}
