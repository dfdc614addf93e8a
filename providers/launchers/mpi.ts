/**
 * `mpiexec` and `mpirun`: one name, several programs with different options (providers.md §13). Its version text, asked
 * inside the block, tells which one it is, unless the configuration does.
 */
import type { LauncherSpec } from "../../core/schema/launcher.ts";
import { quoted, wordsOf } from "../quote.ts";
import type { Launch, LaunchFacts } from "./launch.ts";
import { nodeCommand } from "./node_command.ts";

type Flavour = NonNullable<LauncherSpec["flavour"]>;

export function mpiLaunch(spec: LauncherSpec, facts: LaunchFacts, extra: readonly string[]): Launch {
  const program = spec.type;
  const line = (options: string) => `exec ${[program, options, ...extra, nodeCommand(facts)].join(" ")}`;
  return { lines: linesFor(spec, facts, line), needs_hosts: true, passes_signals: false };
}

function linesFor(spec: LauncherSpec, { nodes }: LaunchFacts, line: (options: string) => string): string[] {
  if (spec.bind_cmd !== undefined) {
    // Globus Compute's MpiExecLauncher: the options in `overrides` are meant for exactly this form.
    const bind = wordsOf("launcher.bind_cmd", spec.bind_cmd).map(quoted).join(" ");
    return [line(`${bind} none -n ${nodes} --hostfile "$GC_HOSTS"`)];
  }
  if (spec.flavour !== undefined) return [line(options(spec.flavour, nodes))];
  return [
    `case "$(${spec.type} --version 2>&1)" in`,
    `*"Open MPI"* | *OpenRTE* | *PRRTE*) ${line(options("openmpi", nodes))} ;;`,
    `*PALS*) ${line(options("pals", nodes))} ;;`,
    `*) ${line(options("hydra", nodes))} ;;`,
    "esac",
  ];
}

function options(flavour: Flavour, nodes: number): string {
  switch (flavour) {
    case "hydra":
      return `-f "$GC_HOSTS" -n ${nodes} -ppn 1 -bind-to none`;
    case "openmpi":
      return `-np ${nodes} --hostfile "$GC_HOSTS" --map-by ppr:1:node --bind-to none`;
    case "pals":
      return `-n ${nodes} --ppn 1 --hostfile "$GC_HOSTS" --cpu-bind none`;
  }
}
