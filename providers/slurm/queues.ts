/** Partitions of Slurm, and the accounts of a user. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";
import { secondsOf } from "../walltime.ts";

/** Name, state, limit, usual time, nodes, cores, memory, resources, least and most nodes of a block, state of nodes. */
const format = "%P|%a|%l|%L|%D|%c|%m|%G|%s|%T";

export const partitions: ListQuestion<QueueInfo> = {
  command: "sinfo",
  args: ["-h", "-o", format],
  read: readPartitions,
};

/** A partition has a line for each kind of its nodes; the first says how its nodes are, and nodes add up. */
function readPartitions({ code, stdout }: Answer): QueueInfo[] | undefined {
  if (code !== 0) return undefined;
  const found = new Map<string, QueueInfo>();
  for (const line of stdout.split("\n")) {
    const columns = line.split("|");
    const [label = "", state, limit = "", , nodes = "", cores = "", memory = "", resources = "", sizes = ""] = columns;
    if (columns.length !== 10) continue;
    const name = label.replace(/\*$/, "");
    const before = found.get(name);
    const walltime_max_s = secondsOf(limit);
    // `4+` where nodes differ.
    const least = (text: string) => Number.parseInt(text, 10) || undefined;
    const gpus = gpusOf(resources);
    const nodes_max = sizes.match(/-(\d+)$/)?.[1];
    found.set(name, {
      name,
      is_default: label.endsWith("*"),
      is_open: state === "up",
      ...(walltime_max_s === undefined ? {} : { walltime_max_s }),
      ...(nodes_max === undefined ? {} : { nodes_max: Number(nodes_max) }),
      nodes: (before?.nodes ?? 0) + (least(nodes) ?? 0),
      ...given("cores_per_node", before?.cores_per_node ?? least(cores)),
      ...given("memory_mib_per_node", before?.memory_mib_per_node ?? least(memory)),
      ...given("gpus_per_node", before?.gpus_per_node ?? (gpus > 0 ? gpus : undefined)),
    });
  }
  return [...found.values()];
}

/** `gpu:a100:4(S:0-1),nvme:1` → 4. */
function gpusOf(resources: string): number {
  const counts = resources.split(",").map((one) => one.match(/^gpu(?::[^:()]+)*?:(\d+)(?:\(.*)?$/)?.[1]);
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}

function given<K extends string>(key: K, value: number | undefined): { [key in K]?: number } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: number };
}

/** Accounts that `user` may charge; none are listed where accounting is off, and then none is needed. */
export function accountsOf(user: string): ListQuestion<string> {
  return {
    command: "sacctmgr",
    args: ["-n", "-P", "show", "assoc", `user=${user}`, "format=account"],
    read: ({ code, stdout }) => (code === 0 ? [...new Set(stdout.split("\n").filter(Boolean))] : undefined),
  };
}
