/**
 * A block request → the two scripts of the block. `block.sh` goes to the scheduler: directives, then one launcher that
 * runs `node.sh` on every node; `node.sh` runs the user's worker_init and becomes the worker. So the user's lines are
 * never where a scheduler looks for directives, run once on each node, and need no quoting (providers.md §1.13).
 */
import { type BlockRequest, checkRequest, optionLines } from "./block_request.ts";
import { type Launch, launch } from "./launchers/launch.ts";
import type { Profile } from "./profile.ts";
import { commandLine, quoted } from "./quote.ts";

/** A file to write before the submission. */
export interface ScriptFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** The scripts of a block: a pure function of the request. */
export function renderScripts(profile: Profile, request: BlockRequest): { block: ScriptFile; node: ScriptFile } {
  checkRequest(request, profile);
  const node = { path: `${request.block_dir}/node.sh`, text: nodeScript(profile, request), mode: 0o700 };
  const mode = profile.script.executable ? 0o700 : 0o600;
  return {
    block: { path: `${request.block_dir}/block.sh`, text: blockScript(profile, request, node.path), mode },
    node,
  };
}

function blockScript(profile: Profile, request: BlockRequest, node_path: string): string {
  const { prefix, wins, live_output } = profile.script;
  const ours = profile.directives(request);
  const users = optionLines(request.scheduler_options ?? [], prefix);
  const directives = (wins === "first" ? [...users, ...ours] : [...ours, ...users]).map((line) => `${prefix} ${line}`);
  const started = launch(request.launcher, { ...request, scheduler: profile.name, node_path });
  return [
    "#!/bin/bash",
    ...directives,
    "",
    `# Block ${request.name}: one worker on ${request.nodes === 1 ? "1 node" : `each of ${request.nodes} nodes`}.`,
    ...(live_output ? [] : [outputLine(request)]),
    `export GC_BLOCK=${request.name}`,
    `GC_BLOCK_DIR=${quoted(request.block_dir)}`,
    'cd "$GC_BLOCK_DIR" || exit 13',
    ...hostLines(profile, started),
    "",
    ...launchLines(started),
    "",
  ].join("\n");
}

function outputLine({ stdout_path, stderr_path }: BlockRequest): string {
  return `exec >>${quoted(stdout_path)} 2>>${quoted(stderr_path)}`;
}

function hostLines(profile: Profile, started: Launch): string[] {
  return started.needs_hosts ? ["GC_HOSTS=$GC_BLOCK_DIR/hosts", ...profile.hosts] : [];
}

/**
 * Bash runs no trap while a command runs in front, so the launcher runs behind and the script waits: then signals are
 * passed on, or survived, and the exit code is written whatever happened (providers.md §1.10, §17.9).
 */
function launchLines(started: Launch): string[] {
  const onSignal = started.passes_signals ? '[ -z "$gc_pid" ] || kill -TERM "$gc_pid" 2>/dev/null' : ":";
  return [
    "gc_pid=",
    `trap '${onSignal}' TERM INT USR1 USR2`,
    "gc_launch() {",
    ...started.lines.map((line) => `  ${line}`),
    "}",
    "gc_launch &",
    "gc_pid=$!",
    'wait "$gc_pid"',
    "gc_code=$?",
    'while kill -0 "$gc_pid" 2>/dev/null; do',
    '  wait "$gc_pid"',
    "  gc_code=$?",
    "done",
    // No per cent sign in this script: OpenLava hands its text to printf.
    'echo "$gc_code" >"$GC_BLOCK_DIR/exit_code.new"',
    'mv "$GC_BLOCK_DIR/exit_code.new" "$GC_BLOCK_DIR/exit_code"',
    'exit "$gc_code"',
  ];
}

/** What runs on each node. A worker_init that ends the shell is told from a worker that ended: exit code 14. */
function nodeScript(profile: Profile, request: BlockRequest): string {
  const { worker_init, launcher } = request;
  // What pbsdsh starts writes into the files of the scheduler, which come at the end (seen on OpenPBS 23.06).
  const own = !profile.script.live_output && launcher.type === "pbsdsh";
  const init = worker_init === undefined || worker_init.trim() === "" ? [] : [worker_init.replace(/\n+$/, "")];
  return [
    "#!/bin/bash",
    ...(own ? [outputLine(request)] : []),
    `export GC_BLOCK=${request.name}`,
    ...(init.length === 0 ? [] : [initTrap, "# worker_init", ...init, "# end of worker_init", "trap - EXIT"]),
    `exec ${commandLine(request.worker)}`,
    "",
  ].join("\n");
}

const initTrap = `trap 'echo "worker_init ended with exit code $? on $(hostname)" >&2; exit 14' EXIT`;
