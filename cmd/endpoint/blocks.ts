/** `gc endpoint blocks`: the blocks of an endpoint: their jobs at the scheduler, how those are and why. */
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import type { BlockInfo, StatusAnswer } from "../../core/schema/live_message.ts";
import type { Cli } from "../cli.ts";
import { EndpointTalk } from "../endpoint_orders.ts";
import { addExamples } from "../examples.ts";
import { age } from "../ps.ts";
import { visible, visibleText } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("blocks")
    .description(
      "List the blocks of an endpoint on a batch scheduler: the job of each, its state and why, nodes, walltime " +
        "left, workers and the tasks they have, and the last lines of its standard error. Those that ended " +
        "lately come last.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .action(async (said: string) => {
      const { name, answer } = await ask(cli, said);
      const { blocks = [], blocks_kept = 0, blocks_max = 0, state, reason } = answer;
      const now_ms = cli.host.clock.now();
      const document = {
        name,
        state,
        ...(reason === undefined ? {} : { reason }),
        blocks_kept,
        blocks_max,
        blocks: blocks.map((block) => ({ ...block, ...left(block, now_ms) })),
      };
      const jobs = () => blocks.flatMap(({ job, state: now }) => (job === undefined || now === "over" ? [] : [job]));
      cli.printer.document(
        "gc/blocks/v1",
        document,
        () => asText(cli, answer, now_ms),
        () => jobs().join("\n"),
      );
      if (blocks.length === 0) cli.printer.note("There is no block now; one is asked for when a task waits");
      if (state === "paused" && reason !== undefined) cli.printer.note(`The endpoint is paused: ${visible(reason)}`);
    });
  addExamples(command, [
    ["gc endpoint blocks my-endpoint", "jobs, states, reasons, walltime left"],
    ["gc endpoint blocks my-endpoint --json", "for programs"],
    ["gc endpoint blocks my-endpoint --quiet", "only the ids of the jobs that live"],
  ]);
}

async function ask(cli: Cli, said: string): Promise<{ name: string; answer: StatusAnswer }> {
  const talk = await EndpointTalk.begin(cli, said);
  try {
    const { name } = talk.endpoint;
    const answer = await talk.status();
    if (typeof answer === "string") {
      const message = `The endpoint "${name}" does not answer (${answer})`;
      throw new GcError("unavailable", "endpoint.offline", message, { hint: `gc endpoint status ${name}` });
    }
    if (answer.blocks === undefined) {
      const message = `The endpoint "${name}" runs no blocks: its engine is local`;
      throw new GcError("usage", "endpoint.no_blocks", message, { hint: `gc endpoint status ${name}` });
    }
    return { name, answer };
  } finally {
    talk.end();
  }
}

/** Walltime that is left to a block that runs. */
function left({ state, started_ms, walltime_s }: BlockInfo, now_ms: number): { walltime_left_s?: number } {
  if (started_ms === undefined || state === "over") return {};
  return { walltime_left_s: Math.max(0, Math.round(walltime_s - (now_ms - started_ms) / 1000)) };
}

function asText(cli: Cli, { blocks = [] }: StatusAnswer, now_ms: number): string {
  if (blocks.length === 0) return "";
  const { paint } = cli.printer;
  const table = cli.printer.table(blocks, [
    { heading: "JOB", cell: (block) => block.job ?? "-" },
    { heading: "STATE", cell: (block) => block.state },
    { heading: "NODES", cell: (block) => String(block.nodes), align: "right" },
    { heading: "LEFT", cell: (block) => leftText(block, now_ms), align: "right" },
    { heading: "WORKERS", cell: (block) => String(block.workers), align: "right" },
    { heading: "TASKS", cell: (block) => String(block.running), align: "right" },
    { heading: "NAME", cell: (block) => block.name },
    { heading: "REASON", cell: (block) => reasonText(block) },
  ]);
  const words = blocks.flatMap(({ job, name, last_words }) => {
    if (last_words === undefined) return [];
    const lines = visibleText(last_words).split("\n").slice(-5);
    return [`\n${paint.dim(`last lines of ${job ?? name}:`)}\n${lines.map((line) => `  ${line}`).join("\n")}`];
  });
  return [table, ...words].join("\n");
}

function leftText(block: BlockInfo, now_ms: number): string {
  const { walltime_left_s } = left(block, now_ms);
  return walltime_left_s === undefined ? "" : age(walltime_left_s * 1000);
}

function reasonText({ reason = "", last_words, start_estimate_ms }: BlockInfo): string {
  // How a block ended is followed by what it printed, which is shown below anyway.
  const short = last_words === undefined ? reason : reason.replace(`: ${last_words}`, "");
  const [line = ""] = short.split("\n");
  return start_estimate_ms === undefined ? line : `${line} (expected ${new Date(start_estimate_ms).toISOString()})`;
}
