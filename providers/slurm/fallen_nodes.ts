/** Nodes that failed under a block that goes on without them (`--no-kill`), as srun says in its standard error. */
export function fallenNodes(stderr: string): Set<string> {
  return new Set([...stderr.matchAll(/^srun: error: Node failure on (\S+)$/gm)].map(([, node = ""]) => node));
}
