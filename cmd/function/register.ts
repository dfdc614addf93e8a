/** `gc function register`: keeps a Python function under a hash of what it is, signed by this person. */
import type { Command } from "commander";
import { registerFunction } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { pythonCodeOf } from "../python_call.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("register")
    .description(
      "Register a Python function: the text of its file, or the name of a module that endpoints have. Its id is a " +
        "hash of that, so another text is another function. It is signed with your key, kept in GC_HOME/functions, " +
        "and travels inside sealed tasks; no relay sees it.",
    )
    .argument("<function>", "file.py:function or module:function")
    .option("--name <name>", "what to call it (default: the function's name)")
    .option("--description <text>", "what it is for")
    .action((words: string, options: { name?: string; description?: string }) => {
      const body = pythonCodeOf(words);
      const entry = body.kind === "pickle" ? "function" : body.entry;
      const about = options.description === undefined ? {} : { description: options.description };
      const { id, sha256, statement } = registerFunction(cli, { name: options.name ?? entry, ...about, body });
      cli.printer.document("gc/function_registered/v1", { id, sha256, name: statement.name }, () => id);
      cli.printer.note(
        `"${statement.name}" has sha256 ${sha256}; next: gc run --function ${id.slice(0, 8)} --args '[]'`,
      );
    });
  addExamples(command, [
    ["gc function register fit.py:train", "prints its id"],
    ["gc function register package.module:function --name fit", "one that endpoints can import"],
    ["gc run -e lab --function train --args '[3]'", "calls it"],
  ]);
}
