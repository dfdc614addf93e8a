/** `gc completion`: what a shell needs to complete our commands, options and names; made from the tree of commands. */
import { Argument, type Command } from "commander";
import type { Cli } from "./cli.ts";
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { modelOf } from "./completion/model.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { addExamples } from "./examples.ts";

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
type Shell = keyof typeof scripts;

/** The names under which gc is installed (graphviz has a `gc` too). */
const programs = ["gc", "gcompute"];

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("completion")
    .description(
      "Print completions for a shell. Names of endpoints and relays are completed from this machine's files.",
    )
    .addArgument(new Argument("<shell>", "which shell").choices(Object.keys(scripts)))
    .action(async (shell: Shell) => {
      const { buildProgram } = await import("./program.ts");
      const script = scripts[shell](modelOf(await buildProgram(cli, () => true)), programs);
      if (cli.printer.mode === "json") cli.printer.document("gc/completion/v1", { shell, script }, () => script);
      else cli.printer.payload(script);
    });
  addExamples(command, [
    ["source <(gc completion bash)", "in ~/.bashrc"],
    ["source <(gc completion zsh)", "in ~/.zshrc, after compinit"],
    ["gc completion fish | source", "in ~/.config/fish/config.fish"],
  ]);
}
