/** `gc endpoint import`: makes an endpoint of a directory of Globus Compute, and tells what became of all its keys. */
import { readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { configureEndpoint } from "../../core/config/configure.ts";
import { checkName } from "../../core/config/endpoint_name.ts";
import { type Imported, type ImportFile, importGlobus } from "../../core/config/import_globus.ts";
import type { ImportNote } from "../../core/config/import_source.ts";
import { GcError } from "../../core/errors.ts";
import { fileError, isAbsent, readIfThere } from "../../core/host/files.ts";
import { gatherPairs } from "../amount.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";
import { relayFor } from "./configure.ts";

interface ImportOptions {
  name?: string;
  relay?: string;
  set?: { [name: string]: string };
  force?: boolean;
  dryRun?: boolean;
}

/** Files of a directory that are read; the rest belongs to the run of an endpoint. */
const readable = /\.(yaml|yml|j2|json|py)$/;
const filesMax = 100;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("import")
    .description(
      "Make an endpoint of a directory of Globus Compute: config.yaml, the template with its schema, and " +
        "user_environment.yaml. Prints what was taken as it is, what was changed, and what has no counterpart " +
        "in gc. A template's defaults are taken where it says them plainly; nothing in the directory is executed.",
    )
    .argument("<directory>", "the directory, such as ~/.globus_compute/my-endpoint")
    .option("--name <name>", "what to call the endpoint (default: the name of the directory)")
    .option("--relay <context>", "the relay to work for (default: the current one, gc context list)")
    .option("--set <NAME=VALUE>", "a value for a variable of the template; repeat for more", gatherPairs)
    .option("-n, --dry-run", "print the report, and write nothing")
    .option("-f, --force", "replace a configuration that is there; the endpoint keeps its id")
    .action((directory: string, options: ImportOptions) => importEndpoint(cli, directory, options));
  addExamples(command, [
    ["gc endpoint import ~/.globus_compute/hpc", 'an endpoint "hpc", and what became of its keys'],
    ["gc endpoint import ~/.globus_compute/hpc --dry-run", "only tell"],
    ["gc endpoint import DIR --name hpc --set account=proj", "with a value that the template wants from users"],
  ]);
}

function importEndpoint(cli: Cli, said: string, options: ImportOptions): void {
  const directory = resolve(said);
  const name = checkName(options.name ?? basename(directory));
  const imported = importGlobus(said, filesOf(said), options.set);
  const config = { relay: relayFor(cli, options.relay), ...imported.config };
  const made =
    options.dryRun === true
      ? undefined
      : configureEndpoint(cli.home, cli.host, { name, config, force: options.force ?? false });
  for (const warning of imported.warnings) cli.printer.warn(visible(warning));
  const { taken, changed, without_counterpart } = imported.report;
  const next = made === undefined ? `gc endpoint import ${said} --name ${name}` : `gc endpoint test ${name}`;
  const document = {
    name,
    id: made?.id ?? null,
    config_path: made?.paths.config ?? null,
    directory,
    taken,
    changed,
    without_counterpart,
    warnings: imported.warnings,
    next,
  };
  cli.printer.document(
    "gc/endpoint_imported/v1",
    document,
    () => {
      const { paint } = cli.printer;
      const written = made && [
        `${made.replaced ? "Replaced" : "Wrote"} ${visible(made.paths.config)}`,
        `Endpoint id: ${paint.bold(made.id)}`,
      ];
      return [reportText(cli, imported), "", ...(written ?? ["Nothing was written"]), `Next: ${paint.cyan(next)}`].join(
        "\n",
      );
    },
    () => made?.id ?? "",
  );
}

/** @throws GcError missing `import.nothing` when there is no such directory. */
function filesOf(directory: string): ImportFile[] {
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && readable.test(entry.name))
      .map((entry) => entry.name);
  } catch (cause) {
    if (!isAbsent(cause)) throw fileError("list", directory, cause);
    throw new GcError("missing", "import.nothing", `There is no directory ${JSON.stringify(directory)}`, {
      hint: "ls ~/.globus_compute",
    });
  }
  const first = (name: string): number =>
    name === "config.yaml" ? 0 : name.startsWith("user_config_template") ? 1 : 2;
  const inOrder = names.sort((a, b) => first(a) - first(b) || (a < b ? -1 : 1)).slice(0, filesMax);
  return inOrder.map((name) => {
    const path = join(directory, name);
    // A program is only told of, never looked into.
    const bytes = name.endsWith(".py") ? new Uint8Array() : (readIfThere(path) ?? new Uint8Array());
    return { name, path, bytes };
  });
}

function reportText(cli: Cli, { report }: Imported): string {
  const { paint } = cli.printer;
  const place = ({ file, line, column }: ImportNote): string => paint.dim(`${visible(file)}:${line}:${column}`);
  const shown = ({ value }: ImportNote): string => {
    if (value === undefined) return "";
    const text = typeof value === "string" ? value.trimEnd().replaceAll("\n", "\\n") : JSON.stringify(value);
    return `: ${visible(text.length > 60 ? `${text.slice(0, 57)}...` : text)}`;
  };
  const lines = (title: string, notes: readonly ImportNote[], more: (note: ImportNote) => string): string[] => {
    if (notes.length === 0) return [];
    const rows = notes.map((note) => `  ${visible(note.key)}${shown(note)}${more(note)}  ${place(note)}`);
    return [paint.bold(`${title} (${notes.length})`), ...rows];
  };
  const moved = (note: ImportNote): string =>
    note.to === undefined || note.to === note.key ? "" : ` → ${visible(note.to)}`;
  const why = ({ why: reason = "" }: ImportNote): string => `\n      ${visible(reason)} `;
  return [
    ...lines("Taken", report.taken, () => ""),
    ...lines("Changed", report.changed, (note) => moved(note) + why(note)),
    ...lines("Without a counterpart", report.without_counterpart, why),
  ].join("\n");
}
