#!/usr/bin/env bun
/**
 * Where every gc process begins: the command line a person typed, a daemon's hidden role, or the two questions that
 * must be answered before anything is loaded. Ends the process with an exit code; nothing else does.
 */
import { version } from "./version.ts";

const words = process.argv.slice(2);

// What steers the runtime or its loader is not ours to obey, and never reaches a child (DESIGN §10; bun.md §0.6).
for (const name of Object.keys(process.env)) {
  if (/^(BUN_|NODE_OPTIONS$|LD_)/.test(name)) delete process.env[name];
}

/** A hidden role: `gc __name ARGS…` becomes a daemon or answers a shell. The file exports it as `role`. */
type Role = (args: string[]) => Promise<number>;

/** The roles, loaded one at a time; none of them loads the command line. */
const roles: { readonly [name: string]: () => Promise<{ role: Role }> } = {
  __complete: () => import("./roles/complete.ts"),
  __relay: () => import("./roles/relay.ts"),
  __endpoint: () => import("./roles/endpoint.ts"),
  __worker: () => import("./roles/worker.ts"),
};

if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  console.log(`gc ${version}`);
} else {
  process.exit(await begin(words));
}

async function begin(args: string[]): Promise<number> {
  const role = Object.hasOwn(roles, args[0] ?? "") ? roles[args[0] ?? ""] : undefined;
  if (role !== undefined) {
    // A daemon lives long: what the executable leaves to the interpreter at its start (scripts/build.ts) pays off here.
    if (args[0] !== "__complete") Bun.unsafe.setJITPolicy(1);
    return (await role()).role(args.slice(1));
  }
  if (args[0] === "run") {
    const { readFastRun, runFast } = await import("./run_fast.ts");
    const run = readFastRun(args);
    if (run !== undefined) return runFast(run);
  }
  const { main } = await import("./program.ts");
  return main(args);
}
