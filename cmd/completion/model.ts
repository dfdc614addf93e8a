/** The command tree as shells need it: paths, options, and what kind of word comes where. Pure. */
import type { Command } from "commander";

/** What a word may be: names that `gc __complete` knows, files, or a choice. */
export type WordKind =
  | { readonly kind: "endpoints" | "own-endpoints" | "contexts" | "files" | "folders" | "none" }
  | { readonly kind: "choices"; readonly words: readonly string[] };

export interface OptionModel {
  readonly long: string | undefined;
  readonly short: string | undefined;
  readonly description: string;
  /** Undefined for a flag. */
  readonly value: WordKind | undefined;
}

export interface CommandModel {
  /** `[]` for gc itself, `["endpoint", "start"]`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly children: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly OptionModel[];
  /** What arguments are; undefined when it takes none. */
  readonly argument: WordKind | undefined;
}

/** Every command of the tree, gc itself first. */
export function modelOf(root: Command): CommandModel[] {
  return walk(root, []);
}

/** Options of `model` that take a value, by all their names. Those of gc itself are the same for every command. */
export function valueOptions(
  model: CommandModel,
  root: CommandModel | undefined,
): { readonly names: readonly string[]; readonly value: WordKind }[] {
  return model.options.flatMap(({ long, short, value }) => {
    const everywhere = model !== root && root?.options.some((option) => option.long === long);
    if (value === undefined || everywhere) return [];
    return [{ names: [long, short].filter((name) => name !== undefined), value }];
  });
}

function walk(command: Command, path: readonly string[]): CommandModel[] {
  const visible = command.createHelp().visibleCommands(command);
  const children = visible.map((child) => ({ name: child.name(), summary: child.summary() }));
  const argument = command.registeredArguments[0];
  const own: CommandModel = {
    path,
    summary: command.summary(),
    children,
    options: command.createHelp().visibleOptions(command).map(optionModel),
    argument: argument === undefined ? undefined : argumentKind(path, argument.name(), argument.argChoices),
  };
  return [own, ...visible.flatMap((child) => walk(child, [...path, child.name()]))];
}

function optionModel(option: Command["options"][number]): OptionModel {
  const takesValue = option.required || option.optional;
  return {
    long: option.long ?? undefined,
    short: option.short ?? undefined,
    description: option.description,
    value: takesValue ? optionKind(option.long ?? "", option.argChoices) : undefined,
  };
}

function optionKind(long: string, choices: readonly string[] | undefined): WordKind {
  if (choices !== undefined) return { kind: "choices", words: choices };
  if (long === "--endpoint") return { kind: "endpoints" };
  if (long === "--context" || long === "--relay") return { kind: "contexts" };
  if (["--file", "--stdin", "--in", "--out", "--output"].includes(long)) return { kind: "files" };
  if (["--cwd", "--dir", "--data-dir"].includes(long)) return { kind: "folders" };
  return { kind: "none" };
}

function argumentKind(path: readonly string[], name: string, choices: readonly string[] | undefined): WordKind {
  if (choices !== undefined) return { kind: "choices", words: choices };
  if (path[0] === "endpoint" && name === "name") return { kind: "own-endpoints" };
  if (path[0] === "context") return { kind: "contexts" };
  return { kind: ["run", "relay backup"].includes(path.join(" ")) ? "files" : "none" };
}
