/** The command that a launcher starts on each node. */
import { quoted } from "../quote.ts";
import type { LaunchFacts } from "./launch.ts";

/** By way of bash, so that it also runs from a file system that is mounted noexec. */
export function nodeCommand({ node_path }: LaunchFacts): string {
  return `/bin/bash ${quoted(node_path)}`;
}
