/** `gc endpoint status`: what an endpoint says of itself, and what its folder says when it does not answer. */
import type { Command } from "commander";
import { GcError, messageOf } from "../../core/errors.ts";
import type { StatusAnswer } from "../../core/schema/live_message.ts";
import type { Cli } from "../cli.ts";
import { EndpointTalk, ownFolder } from "../endpoint_orders.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

type Shown = { name: string; id?: string; online: boolean; state: string; why?: string } & Partial<
  Omit<StatusAnswer, "t" | "re" | "state">
>;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("status")
    .description("Tell how an endpoint is: its state and why, tasks that wait and run, its workers.")
    .argument("<name>", "its name, its id or the beginning of its id")
    .action(async (said: string) => {
      const shown = await look(cli, said);
      cli.printer.document("gc/endpoint_status/v1", shown, () => asText(cli, shown));
      if (!shown.online) cli.exit_code = 69;
    });
  addExamples(command, [
    ["gc endpoint status my-endpoint", "exit code 0 when it answers, 69 when not"],
    ["gc endpoint status my-endpoint --json", "for programs"],
  ]);
}

async function look(cli: Cli, said: string): Promise<Shown> {
  const folder = ownFolder(cli, said);
  if (folder?.state.state === "stopped")
    return { name: folder.name, online: false, state: "stopped", ...idOf(folder.id) };
  let talk: EndpointTalk;
  try {
    talk = await EndpointTalk.begin(cli, said);
  } catch (error) {
    if (folder === undefined || !(error instanceof GcError) || error.kind !== "unavailable") throw error;
    const why = messageOf(error);
    return { name: folder.name, online: false, state: folder.state.state, why, ...idOf(folder.id) };
  }
  try {
    const { name, record } = talk.endpoint;
    const answer = await talk.status();
    if (typeof answer === "string") {
      const why = answer === "offline" ? "It is not connected to the relay" : "It does not tell you";
      return { name, id: record.id, online: false, state: folder?.state.state ?? answer, why };
    }
    const { t: _t, re: _re, ...rest } = answer;
    return { name, id: record.id, online: true, ...rest };
  } finally {
    talk.end();
  }
}

function idOf(id: string | undefined): { id?: string } {
  return id === undefined ? {} : { id };
}

function asText(cli: Cli, shown: Shown): string {
  const { paint } = cli.printer;
  const lines: [string, string | undefined][] = [
    ["name", shown.name],
    ["id", shown.id],
    ["state", shown.reason === undefined ? shown.state : `${shown.state}: ${shown.reason}`],
    ["", shown.why],
    ["host", shown.host === undefined ? undefined : `${shown.host}, process ${shown.pid}`],
    ["since", shown.since_ms === undefined ? undefined : new Date(shown.since_ms).toISOString()],
    ["software", shown.software],
    ["waiting", shown.waiting?.toString()],
    ["running", shown.running?.toString()],
    ["unreported", shown.unreported?.toString()],
  ];
  for (const worker of shown.workers ?? []) {
    const state = worker.connected
      ? `${worker.running} of ${worker.slots} slots busy`
      : "does not answer at the moment";
    lines.push(["worker", `${worker.id.slice(0, 8)} on ${worker.host || "?"}, process ${worker.pid}: ${state}`]);
  }
  const told = lines.filter(([, value]) => value !== undefined);
  const width = Math.max(...told.map(([key]) => key.length));
  return told.map(([key, value]) => `${paint.dim(key.padEnd(width))}  ${visible(value ?? "")}`).join("\n");
}
