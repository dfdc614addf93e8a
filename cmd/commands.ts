/**
 * The list of all commands. Each is loaded when it is run or when its help is asked for, never before: what a command
 * needs costs nothing to the others. A new command is one file and one line here.
 *
 * The file exports `describe(parent, cli)`: it adds its command to `parent` with options, examples and an action; the
 * action parses nothing more, calls a function that returns data, and hands that to `cli.printer`.
 */
import type { Command } from "commander";
import type { Cli } from "./cli.ts";

/** A file under `cmd/` that holds one command. */
export interface CommandModule {
  describe(parent: Command, cli: Cli): void;
}

export interface CommandEntry {
  /** What people type: `["endpoint", "start"]`. */
  readonly words: readonly [string] | readonly [string, string];
  /** One line for the list of commands. */
  readonly summary: string;
  /** Another last word that means the same. */
  readonly alias?: string;
  readonly load: () => Promise<CommandModule>;
  /** Programs run it, people do not: it is in no list. */
  readonly is_hidden?: boolean;
  /** Exit code when gc itself fails, for commands whose own codes pass through (DESIGN §9). */
  readonly failure_code?: number;
}

/** Words that only gather commands. */
export const groups: { readonly [word: string]: { readonly summary: string; readonly heading: string } } = {
  endpoint: { summary: "Set up and run endpoints: where tasks run", heading: "Places:" },
  relay: { summary: "Run a relay: where envelopes wait", heading: "Places:" },
  context: { summary: "Choose which relay to talk to", heading: "Places:" },
  function: { summary: "Keep Python functions to call again, and share them", heading: "Tasks:" },
  sdk: { summary: "Use gc from other languages", heading: "You and this machine:" },
};

/** Under which heading of `gc --help` a command of one word stands. */
export const headings: { readonly [word: string]: string } = {
  run: "Tasks:",
  map: "Tasks:",
  submit: "Tasks:",
  result: "Tasks:",
  wait: "Tasks:",
  ps: "Tasks:",
  logs: "Tasks:",
  why: "Tasks:",
  cancel: "Tasks:",
  retry: "Tasks:",
  login: "You and this machine:",
  whoami: "You and this machine:",
  doctor: "You and this machine:",
  completion: "You and this machine:",
};

const ranFailure = 125;

export const commands: readonly CommandEntry[] = [
  {
    words: ["run"],
    summary: "Run a command and stream its output",
    load: () => import("./run.ts"),
    failure_code: ranFailure,
  },
  { words: ["map"], summary: "Run a command once per input", load: () => import("./map.ts") },
  { words: ["submit"], summary: "Hand over tasks and print their ids", load: () => import("./submit.ts") },
  { words: ["result"], summary: "Print what tasks came back with", load: () => import("./result.ts") },
  { words: ["wait"], summary: "Wait until tasks have ended", load: () => import("./wait.ts") },
  { words: ["ps"], summary: "List tasks", load: () => import("./ps.ts") },
  { words: ["logs"], summary: "Print or follow the output of a task", load: () => import("./logs.ts") },
  { words: ["why"], summary: "Tell what a task waits for, or why it failed", load: () => import("./why.ts") },
  { words: ["cancel"], summary: "End tasks, queued or running", load: () => import("./cancel.ts") },
  { words: ["retry"], summary: "Submit ended tasks again", load: () => import("./retry.ts") },

  {
    words: ["endpoint", "configure"],
    summary: "Write the configuration of a new endpoint",
    load: () => import("./endpoint/configure.ts"),
  },
  {
    words: ["endpoint", "import"],
    summary: "Make an endpoint of one of Globus Compute",
    load: () => import("./endpoint/import.ts"),
  },
  { words: ["endpoint", "start"], summary: "Start an endpoint", load: () => import("./endpoint/start.ts") },
  { words: ["endpoint", "stop"], summary: "Stop an endpoint", load: () => import("./endpoint/stop.ts") },
  {
    words: ["endpoint", "restart"],
    summary: "Stop an endpoint and start it again",
    load: () => import("./endpoint/restart.ts"),
  },
  {
    words: ["endpoint", "status"],
    summary: "Tell what an endpoint is doing",
    load: () => import("./endpoint/status.ts"),
  },
  {
    words: ["endpoint", "blocks"],
    summary: "List the blocks of an endpoint on a cluster",
    load: () => import("./endpoint/blocks.ts"),
  },
  {
    words: ["endpoint", "scale"],
    summary: "Say how many blocks an endpoint keeps",
    load: () => import("./endpoint/scale.ts"),
  },
  {
    words: ["endpoint", "pause"],
    summary: "Start no more tasks on an endpoint",
    load: () => import("./endpoint/pause.ts"),
  },
  {
    words: ["endpoint", "resume"],
    summary: "Let a paused endpoint start tasks again",
    load: () => import("./endpoint/resume.ts"),
  },
  {
    words: ["endpoint", "list"],
    alias: "ls",
    summary: "List endpoints and how they are",
    load: () => import("./endpoint/list.ts"),
  },
  {
    words: ["endpoint", "show"],
    summary: "Show the configuration of an endpoint",
    load: () => import("./endpoint/show.ts"),
  },
  {
    words: ["endpoint", "render"],
    summary: "Print the script of a block",
    load: () => import("./endpoint/render.ts"),
  },
  {
    words: ["endpoint", "test"],
    summary: "Try an endpoint with a small block",
    load: () => import("./endpoint/test.ts"),
  },
  {
    words: ["endpoint", "logs"],
    summary: "Print or follow the log of an endpoint",
    load: () => import("./endpoint/logs.ts"),
  },
  {
    words: ["endpoint", "delete"],
    alias: "rm",
    summary: "Delete an endpoint and what it keeps",
    load: () => import("./endpoint/delete.ts"),
  },
  {
    words: ["endpoint", "enable"],
    summary: "Start an endpoint whenever this machine boots",
    load: () => import("./endpoint/enable.ts"),
  },
  {
    words: ["endpoint", "disable"],
    summary: "No longer start an endpoint at boot",
    load: () => import("./endpoint/disable.ts"),
  },
  {
    words: ["endpoint", "join"],
    summary: "Enrol an endpoint at a relay by an invite",
    load: () => import("./endpoint/join.ts"),
  },

  { words: ["relay", "up"], summary: "Start a relay", load: () => import("./relay/up.ts") },
  { words: ["relay", "down"], summary: "Stop the relay", load: () => import("./relay/down.ts") },
  { words: ["relay", "status"], summary: "Tell what the relay is doing", load: () => import("./relay/status.ts") },
  {
    words: ["relay", "backup"],
    summary: "Copy the relay's store while it runs",
    load: () => import("./relay/backup.ts"),
  },
  {
    words: ["relay", "restore"],
    summary: "Make a backup the store of the relay",
    load: () => import("./relay/restore.ts"),
  },
  {
    words: ["relay", "invite"],
    summary: "Make an invite for a person or an endpoint",
    load: () => import("./relay/invite.ts"),
  },
  { words: ["relay", "users"], summary: "List who may use the relay", load: () => import("./relay/users.ts") },

  {
    words: ["context", "list"],
    alias: "ls",
    summary: "List the relays that this machine knows",
    load: () => import("./context/list.ts"),
  },
  {
    words: ["context", "use"],
    summary: "Choose the relay that commands talk to",
    load: () => import("./context/use.ts"),
  },

  {
    words: ["function", "register"],
    summary: "Keep a Python function under an id",
    load: () => import("./function/register.ts"),
  },
  {
    words: ["function", "list"],
    alias: "ls",
    summary: "List registered functions",
    load: () => import("./function/list.ts"),
  },
  {
    words: ["function", "show"],
    summary: "Show a registered function",
    load: () => import("./function/show.ts"),
  },
  {
    words: ["function", "delete"],
    alias: "rm",
    summary: "Forget a registered function",
    load: () => import("./function/delete.ts"),
  },
  {
    words: ["function", "share"],
    summary: "Print a function as a signed document",
    load: () => import("./function/share.ts"),
  },
  {
    words: ["function", "import"],
    summary: "Keep a function that somebody shared",
    load: () => import("./function/import.ts"),
  },

  { words: ["sdk", "python"], summary: "Print the Python SDK", load: () => import("./sdk/python.ts") },
  { words: ["sdk", "typescript"], summary: "Print the TypeScript SDK", load: () => import("./sdk/typescript.ts") },
  {
    words: ["sdk", "serve"],
    summary: "Serve an SDK in lines of JSON",
    load: () => import("./sdk/serve.ts"),
    is_hidden: true,
  },

  { words: ["login"], summary: "Join a relay by an invite", load: () => import("./login.ts") },
  { words: ["whoami"], summary: "Print who you are to relays and endpoints", load: () => import("./whoami.ts") },
  { words: ["doctor"], summary: "Check this machine and say what to do", load: () => import("./doctor.ts") },
  { words: ["completion"], summary: "Print completions for a shell", load: () => import("./completion.ts") },
];
