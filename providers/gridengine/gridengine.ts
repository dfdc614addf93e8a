/** Grid Engine and its descendants. Seen at work: Son of Grid Engine 8.1.9. */
import { type BlockRequest, refused } from "../block_request.ts";
import type { Answer, Capabilities } from "../outcome.ts";
import type { Profile } from "../profile.ts";
import { hoursMinutesSeconds } from "../walltime.ts";
import { qdel, qhold, qrls } from "./orders.ts";
import { jobNumber, qacct, qstatXml, readQstatXml } from "./status.ts";

export const gridengine: Profile = {
  name: "gridengine",
  title: "Grid Engine",
  commands: ["qsub", "qstat", "qacct", "qdel", "qhold", "qrls"],
  unset: ["JOB_ID", "SGE_TASK_ID", "PE_HOSTFILE", "PE", "NSLOTS", "NHOSTS", "GC_*"],
  refuses: ["qos", "reservation", "clusters", "gres", "select_options"],
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 30, polls: 3 },
  probes: [{ command: "qstat", args: ["-help"] }],
  readProbe,
  script: {
    prefix: "#$",
    // Also behind commands, and there a bad one refuses the block.
    placement: "anywhere",
    wins: "last",
    executable: false,
    live_output: true,
    quotes_paths: false,
  },
  directives: gridEngineDirectives,
  hosts: [
    'if [ -n "$PE_HOSTFILE" ]; then',
    `  awk '!seen[$1]++ { print $1 }' "$PE_HOSTFILE" >"$GC_HOSTS"`,
    "else",
    '  hostname >"$GC_HOSTS"',
    "fi",
  ],
  submit: {
    command: "qsub",
    args: (script_path) => ["-terse", script_path],
    by_stdin: false,
    ids: [
      /^(?<id>\d+)(?:\.\d+-\d+:\d+)?\s*$/,
      /^Your job(?:-array)? (?<id>\d+)(?:\.\d+-\d+:\d+)? \(".*"\) has been submitted\s*$/,
    ],
    reads_stderr: false,
    exports_env: false,
    refusals: [
      { pattern: /unable to send message|commlib error|got send error|unable to contact/, class: "transient" },
      { pattern: /Error reading answer|timed out/, class: "ambiguous" },
      { pattern: /not a valid object name/, class: "config" },
      { pattern: /per user|max_u_jobs|max_jobs|quota|too many/i, class: "limit" },
      { pattern: /not allowed|denied|no permission|has no access/i, class: "policy" },
      { pattern: /Unable to (run job|read script)|^qsub: |ERROR!|error opening/im, class: "config" },
    ],
  },
  keyOf: jobNumber,
  observe: qstatXml,
  history: qacct,
  find: { command: "qstat", args: ["-xml"], read: readQstatXml },
  cancel: { term: qdel, force: qdel },
  hold: qhold,
  release: qrls,
  inside: {
    files: ({ PE_HOSTFILE: path }) => (path === undefined ? [] : [path]),
    describe({ env, hostname, text }) {
      const id = env.JOB_ID;
      if (id === undefined) return undefined;
      const lines = (env.PE_HOSTFILE === undefined ? undefined : text(env.PE_HOSTFILE))?.split("\n") ?? [];
      const hosts = new Map<string, number>();
      for (const [, name = "", slots = "0"] of lines.map((line) => line.match(/^(\S+)\s+(\d+)\s/) ?? [])) {
        if (name !== "") hosts.set(name, (hosts.get(name) ?? 0) + Number(slots));
      }
      const cores = hosts.size === 0 ? Number(env.NSLOTS ?? 0) : Math.min(...hosts.values());
      return {
        id,
        incarnation: env.RESTARTED ?? "0",
        nodes: hosts.size === 0 ? [hostname] : [...hosts.keys()],
        ...(cores > 0 ? { cores_per_node: cores } : {}),
      };
    },
  },
};

function gridEngineDirectives(request: BlockRequest): string[] {
  const { nodes, cores_per_node, memory_mib_per_node, gpus_per_node, parallel_environment, constraint } = request;
  const cores = cores_per_node ?? 1;
  const slots = nodes * cores;
  if (slots > 1 && parallel_environment === undefined) {
    throw refused("parallel_environment", undefined, "named: only by one does Grid Engine give more than one slot");
  }
  const said = (option: string, value: string | undefined) => (value === undefined ? [] : [`${option} ${value}`]);
  return [
    "-S /bin/bash",
    `-N ${request.name}`,
    `-o ${request.stdout_path}`,
    `-e ${request.stderr_path}`,
    `-l h_rt=${hoursMinutesSeconds(request.walltime_s)}`,
    ...(slots > 1 ? [`-pe ${parallel_environment} ${slots}`] : []),
    // Of each slot.
    ...(memory_mib_per_node ? [`-l h_vmem=${Math.ceil(memory_mib_per_node / cores)}M`] : []),
    ...(gpus_per_node ? [`-l gpu=${gpus_per_node}`] : []),
    ...(request.exclusive === true ? ["-l exclusive=true"] : []),
    ...said("-l", constraint),
    "-r n",
    // SIGUSR2 some time before SIGKILL.
    "-notify",
    ...said("-q", request.partition),
    ...said("-P", request.project),
    ...said("-A", request.account),
  ];
}

function readProbe([help]: readonly Answer[]): Capabilities {
  const said = `${help?.stdout ?? ""}\n${help?.stderr ?? ""}`;
  const found = said.match(/^(?:SGE|GE|UGE|AGE|OGS\/GE|SoGE|OCS) (\d\S*)/m)?.[1];
  return {
    present: found !== undefined,
    history: found !== undefined,
    ...(found === undefined ? {} : { version: found }),
    notes: [],
  };
}
