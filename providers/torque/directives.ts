/** A block request → the options of its `#PBS` lines for Torque (providers.md §4). */
import type { BlockRequest } from "../block_request.ts";
import { hoursMinutesSeconds } from "../walltime.ts";

export function torqueDirectives(request: BlockRequest): string[] {
  const { nodes, cores_per_node, memory_mib_per_node, gpus_per_node, constraint } = request;
  const spec = [
    `nodes=${nodes}`,
    `ppn=${cores_per_node ?? 1}`,
    ...(gpus_per_node ? [`gpus=${gpus_per_node}`] : []),
    ...(constraint === undefined ? [] : [constraint]),
  ].join(":");
  const said = (option: string, value: string | undefined) => (value === undefined ? [] : [`${option}${value}`]);
  return [
    `-N ${request.name}`,
    "-S /bin/bash",
    `-o ${request.stdout_path}.scheduler`,
    `-e ${request.stderr_path}.scheduler`,
    `-l ${spec}`,
    // Of the whole block.
    ...(memory_mib_per_node ? [`-l mem=${memory_mib_per_node * nodes}mb`] : []),
    `-l walltime=${hoursMinutesSeconds(request.walltime_s)}`,
    ...(request.exclusive === true ? ["-n"] : []),
    "-r n",
    "-m n",
    ...said("-q ", request.partition),
    ...said("-A ", request.account ?? request.project),
    // Moab's.
    ...said("-l qos=", request.qos),
    ...said("-l advres=", request.reservation),
  ];
}
