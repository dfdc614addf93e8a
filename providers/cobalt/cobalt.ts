/** Cobalt, of Argonne's machines before they took PBS. Seen at work: 2021, on its cluster_system. */
import type { BlockRequest } from "../block_request.ts";
import type { Answer, Capabilities } from "../outcome.ts";
import type { Profile } from "../profile.ts";
import { minutesOf } from "../walltime.ts";
import { qdel, qhold, qrls } from "./orders.ts";
import { qstat, readCobaltLog, readTable } from "./status.ts";

/** In the directory of the block. */
const logName = "cobaltlog";

export const cobalt: Profile = {
  name: "cobalt",
  title: "Cobalt",
  commands: ["qsub", "qstat", "qdel", "qhold", "qrls"],
  unset: ["QSTAT_HEADER", "CQSTAT_HEADER", "COBALT_JOBID", "COBALT_NODEFILE", "GC_*"],
  refuses: ["qos", "clusters", "gres", "select_options", "parallel_environment"],
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 60, polls: 3 },
  probes: [{ command: "qstat", args: ["--version"] }],
  readProbe,
  script: {
    prefix: "#COBALT",
    // Even a comment ends them.
    placement: "below_shebang",
    wins: "last",
    executable: true,
    live_output: true,
    quotes_paths: false,
  },
  directives: cobaltDirectives,
  hosts: [`awk '!seen[$0]++' "$COBALT_NODEFILE" >"$GC_HOSTS"`],
  submit: {
    command: "qsub",
    args: (script_path) => [script_path],
    by_stdin: false,
    ids: [/^(?<id>\d+)\s*$/],
    reads_stderr: false,
    exports_env: false,
    refusals: [
      { pattern: /Connection refused|Failed to connect|queue-manager\.get_queues/, class: "transient" },
      { pattern: /timed out|reset by peer/i, class: "ambiguous" },
      { pattern: /limit|max walltime|less than minimum|not allowed|is dead/i, class: "policy" },
      { pattern: /Fault 1001|out of realistic range|invalid|not (found|executable|provided)/, class: "config" },
      { pattern: /does not exist|error: |Usage/, class: "config" },
    ],
  },
  keyOf: (id) => id,
  observe: qstat,
  readLog: readCobaltLog,
  log_name: logName,
  find: { command: "qstat", args: qstat.args([]), read: readTable },
  cancel: { term: qdel, force: qdel },
  hold: qhold,
  release: qrls,
  inside: {
    files: ({ COBALT_NODEFILE: path }) => (path === undefined ? [] : [path]),
    describe({ env, hostname, text }) {
      const id = env.COBALT_JOBID;
      if (id === undefined) return undefined;
      const lines = (env.COBALT_NODEFILE === undefined ? undefined : text(env.COBALT_NODEFILE))?.split("\n") ?? [];
      const nodes = [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ""))];
      const ends_s = Number(env.COBALT_ENDTIME ?? 0);
      return {
        id,
        incarnation: env.COBALT_STARTTIME ?? "0",
        nodes: nodes.length === 0 ? [hostname] : nodes,
        ...(ends_s > 0 ? { ends_at_ms: ends_s * 1000 } : {}),
      };
    },
  },
};

/** Blocks are whole nodes, so cores, memory and GPUs need no words. A reservation is a queue. */
function cobaltDirectives(request: BlockRequest): string[] {
  const said = (option: string, value: string | undefined) => (value === undefined ? [] : [`${option} ${value}`]);
  return [
    `--jobname ${request.name}`,
    `-n ${request.nodes}`,
    `-t ${minutesOf(request.walltime_s)}`,
    `-o ${request.stdout_path}`,
    `-e ${request.stderr_path}`,
    `--debuglog ${request.block_dir}/${logName}`,
    ...said("-q", request.reservation ?? request.partition),
    ...said("-A", request.account ?? request.project),
    ...said("--attrs", request.constraint),
  ];
}

function readProbe([version]: readonly Answer[]): Capabilities {
  const found = version?.stdout.match(/^version: "qstat\.py " \+ \$Revision: (\d+)/m)?.[1];
  return {
    present: found !== undefined,
    history: false,
    ...(found === undefined ? {} : { version: found }),
    notes: [],
  };
}
