/** A block request → the options of its `#BSUB` lines (providers.md §5.1). */
import type { BlockRequest } from "../block_request.ts";
import { hoursMinutes } from "../walltime.ts";

/** LSF itself knows units, GPUs and whole nodes; OpenLava does not. */
export function lsfDirectives(request: BlockRequest, dialect: "lsf" | "openlava"): string[] {
  const said = (option: string, value: string | undefined) => (value === undefined ? [] : [`${option} ${value}`]);
  return [
    `-J ${request.name}`,
    // Without a file for its report, LSF sends mail.
    `-o ${request.stdout_path}.scheduler`,
    `-e ${request.stderr_path}.scheduler`,
    `-W ${hoursMinutes(request.walltime_s)}`,
    ...sizes(request, dialect),
    ...(request.exclusive === true ? ["-x"] : []),
    ...said("-q", request.partition),
    ...said("-P", request.project ?? request.account),
    ...said("-U", request.reservation),
  ];
}

function sizes(request: BlockRequest, dialect: "lsf" | "openlava"): string[] {
  const { nodes, cores_per_node, memory_mib_per_node, gpus_per_node, constraint } = request;
  // Where nodes are asked for as a whole, `-n` and `-R` are refused.
  if (request.by_nodes === true) return [`-nnodes ${nodes}`];
  const slots = cores_per_node ?? 1;
  const unit = dialect === "lsf" ? "MB" : "";
  const needs = [
    ...(constraint === undefined ? [] : [`select[${constraint}]`]),
    ...(memory_mib_per_node ? [`rusage[mem=${memory_mib_per_node}${unit}]`] : []),
    `span[ptile=${slots}]`,
  ];
  return [
    `-n ${nodes * slots}`,
    `-R "${needs.join(" ")}"`,
    ...(gpus_per_node ? [`-gpu "num=${gpus_per_node}/host"`] : []),
  ];
}
