/** A block request → the options of its `#PBS` lines for PBS Pro (providers.md §3.1). */
import type { BlockRequest } from "../block_request.ts";
import { hoursMinutesSeconds } from "../walltime.ts";

export function pbsDirectives(request: BlockRequest): string[] {
  const { nodes, cores_per_node, memory_mib_per_node, gpus_per_node, select_options } = request;
  const chunk = [
    String(nodes),
    ...(cores_per_node === undefined ? [] : [`ncpus=${cores_per_node}`]),
    ...(memory_mib_per_node ? [`mem=${memory_mib_per_node}mb`] : []),
    ...(gpus_per_node ? [`ngpus=${gpus_per_node}`] : []),
    ...(select_options === undefined ? [] : [select_options]),
  ].join(":");
  const said = (option: string, value: string | undefined) => (value === undefined ? [] : [`${option} ${value}`]);
  return [
    `-N ${request.name}`,
    "-S /bin/bash",
    // What the scheduler itself has to say comes at the end; the script writes its own files while it runs.
    `-o ${request.stdout_path}.scheduler`,
    `-e ${request.stderr_path}.scheduler`,
    `-l select=${chunk}`,
    ...(nodes > 1 || request.exclusive === true
      ? [`-l place=scatter${request.exclusive === true ? ":excl" : ""}`]
      : []),
    `-l walltime=${hoursMinutesSeconds(request.walltime_s)}`,
    "-r n",
    "-m n",
    // A reservation is a queue.
    ...said("-q", request.reservation ?? request.partition),
    ...said("-A", request.account),
    ...said("-P", request.project),
  ];
}
