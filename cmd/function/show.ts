/** `gc function show`: what a registered function is, who signed it, and its text. */
import type { Command } from "commander";
import type { RegisteredFunction } from "../../core/access/registered_function.ts";
import { readIdentity } from "../../core/config/identity.ts";
import type { FunctionBody } from "../../core/schema/function.ts";
import { findFunction } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("show")
    .description("Show a registered function: id, SHA-256, owner and text. Its signature is checked on the way.")
    .argument("<function>", "its id, the beginning of it, its SHA-256, or its name")
    .action((said: string) => {
      const found = findFunction(cli.home, said);
      const { id, sha256, statement } = found;
      cli.printer.document(
        "gc/function/v1",
        { id, sha256, ...statement },
        () => asText(cli, found),
        () => textOf(statement.body),
      );
    });
  addExamples(command, [
    ["gc function show train", "all about it, and its text"],
    ["gc function show 6f1d8a1e --quiet", "the text alone"],
  ]);
}

function asText(cli: Cli, { id, sha256, statement }: RegisteredFunction): string {
  const { name, description, owner, created_ms, body } = statement;
  const own = readIdentity(cli.home)?.id === owner;
  const lines: [string, string | undefined][] = [
    ["name", name],
    ["about", description],
    ["id", id],
    ["sha256", sha256],
    ["owner", own ? `${owner} (you)` : owner],
    ["created", new Date(created_ms).toISOString()],
    ["calls", body.kind === "shell" || body.kind === "pickle" ? body.kind : `${body.entry}()`],
  ];
  const told = lines.filter(([, value]) => value !== undefined);
  const head = told.map(([key, value]) => `${cli.printer.paint.dim(key.padEnd(7))}  ${visible(value ?? "")}`);
  return [...head, "", ...textOf(body).split("\n").map(visible)].join("\n");
}

function textOf(body: FunctionBody): string {
  switch (body.kind) {
    case "source":
      return body.source;
    case "import":
      return `from ${body.module} import ${body.entry}`;
    case "shell":
      return body.fields.cmd;
    case "pickle":
      return `a pickle of Python ${body.version}, ${body.base64.length} characters of base64`;
  }
}
