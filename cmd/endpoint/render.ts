/**
 * `gc endpoint render`: the exact script that the endpoint would hand to the scheduler for its next block. Needs
 * neither the scheduler nor a running endpoint, and changes nothing.
 */
import { join } from "node:path";
import type { Command } from "commander";
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import { GcError } from "../../core/errors.ts";
import { selfArgv } from "../../core/host/self.ts";
import { blockRequest, blockShape } from "../../providers/block_shape.ts";
import { openProvider } from "../../providers/provider.ts";
import { profileOf } from "../../providers/schedulers.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

/** Stands where each block has its own name. */
const exampleName = "gc000000000000";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("render")
    .description("Print the script of a block, as the scheduler would get it, and the command that submits it.")
    .argument("<name>", "its name, its id or the beginning of its id")
    .action((name: string) => {
      const rendered = render(cli, name);
      if (rendered.ignored.length > 0) {
        cli.printer.note(`Without a meaning in gc: ${rendered.ignored.map(visible).join(", ")}`);
      }
      cli.printer.document(
        "gc/endpoint_render/v1",
        rendered,
        () => asText(cli, rendered),
        () => rendered.script.trimEnd(),
      );
    });
  addExamples(command, [
    ["gc endpoint render my-cluster", "all that is written and run for a block"],
    ["gc endpoint render my-cluster --quiet > block.sh", "the script alone"],
  ]);
}

type Rendered = ReturnType<typeof render>;

function render(cli: Cli, said: string) {
  const own = findOwnEndpoint(cli.home, cli.host, said);
  const { engine } = loadEndpointConfig(own.paths.config);
  if (engine.type === "local") {
    throw new GcError(
      "config",
      "engine.no_script",
      `Endpoint "${own.name}" runs tasks on this machine, without a script`,
    );
  }
  const profile = profileOf(engine.scheduler);
  // Where the scheduler's commands are is found at the start; here their names are enough.
  const commands = Object.fromEntries(profile.commands.map((name) => [name, `/usr/bin/${name}`]));
  const dir = join(own.paths.dir, "blocks", exampleName);
  const request = blockRequest(blockShape(engine), exampleName, dir, selfArgv());
  const { text, files, submit } = openProvider(profile, { commands }).render(request);
  return {
    name: own.name,
    scheduler: engine.scheduler,
    script: text,
    files: files.map((file) => ({ path: file.path, mode: file.mode.toString(8), text: file.text })),
    submit: submit.argv.map((word) => word.replace(/^\/usr\/bin\//, "")),
    fed: submit.stdin === text,
    ignored: engine.ignored,
  };
}

function asText(cli: Cli, { files, submit, fed, script }: Rendered): string {
  const title = (text: string) => cli.printer.paint.dim(`# ${text}`);
  const others = files.filter(({ text }) => text !== script);
  return [
    script.trimEnd(),
    "",
    ...others.flatMap(({ path, text }) => [title(`${path}, on each node:`), text.trimEnd(), ""]),
    title(`Submitted by: ${submit.join(" ")}${fed ? " < block.sh" : ""}`),
  ].join("\n");
}
