/**
 * Launchers that start a command on named nodes, without ranks: LSF's blaunch, pbsdsh, Grid Engine's qrsh, GNU parallel
 * over ssh. They pass no environment, so each node begins with a login shell.
 */
import { quoted } from "../quote.ts";
import type { Launch, LaunchFacts } from "./launch.ts";

export function perHostLaunch(
  type: "blaunch" | "pbsdsh" | "qrsh" | "gnu_parallel",
  facts: LaunchFacts,
  extra: readonly string[],
): Launch {
  const command = `/bin/bash -l ${quoted(facts.node_path)}`;
  return { lines: linesFor(type, facts, extra, command), needs_hosts: type !== "pbsdsh", passes_signals: false };
}

function linesFor(
  type: "blaunch" | "pbsdsh" | "qrsh" | "gnu_parallel",
  { nodes, scheduler }: LaunchFacts,
  extra: readonly string[],
  command: string,
): string[] {
  switch (type) {
    case "blaunch":
      return [`exec ${["blaunch", ...extra, `-z "$(tr '\\n' ' ' <"$GC_HOSTS")"`, command].join(" ")}`];
    case "gnu_parallel":
      return [`exec ${["parallel --nonall --jobs", nodes, '--sshloginfile "$GC_HOSTS"', ...extra, command].join(" ")}`];
    case "qrsh":
      // It joins its words for a shell on the other side (seen on Son of Grid Engine 8.1.9); the path has no blanks.
      return eachOf('$(cat "$GC_HOSTS")', ["qrsh -inherit -nostdin", ...extra, '"$gc_at"', command]);
    case "pbsdsh":
      if (scheduler === "torque") return [`exec ${["pbsdsh -u", ...extra, command].join(" ")}`];
      // Without -u: it starts one per line of the node file, where a node can stand more than once.
      return eachOf(`$(awk '!seen[$0]++ { print NR - 1 }' "$PBS_NODEFILE")`, [
        'pbsdsh -n "$gc_at"',
        ...extra,
        "--",
        command,
      ]);
  }
}

/** The command for each word of `list`, side by side; ends with the last bad exit code. */
function eachOf(list: string, words: readonly string[]): string[] {
  return [
    "gc_pids= gc_worst=0",
    `for gc_at in ${list}; do`,
    `  ${words.join(" ")} &`,
    '  gc_pids="$gc_pids $!"',
    "done",
    "for gc_one in $gc_pids; do",
    '  wait "$gc_one" || gc_worst=$?',
    "done",
    'return "$gc_worst"',
  ];
}
