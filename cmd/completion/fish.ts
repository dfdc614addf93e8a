/** Completions for fish: one line for every word that may follow, with the condition under which it may. Pure. */
import type { CommandModel, OptionModel, WordKind } from "./model.ts";

/** The script to be sourced, or put into fish's completions folder as `gc.fish`. */
export function fishCompletion(models: readonly CommandModel[], programs: readonly string[]): string {
  const paths = models.filter((model) => model.path.length > 0).map((model) => quote(model.path.join(" ")));
  const lines = programs.flatMap((program) => [
    `complete -c ${program} -f`,
    ...models.flatMap((model) => commandLines(program, model)),
  ]);
  return `# fish completion for gc. Load it:  gc completion fish | source
function __gc_path
    set -l path
    for word in (commandline -opc)[2..-1]
        if test "$word" = --
            echo --
            return
        end
        if contains -- (string join -- ' ' $path $word) ${paths.join(" ")}
            set -a path $word
        end
    end
    string join -- ' ' $path
end
function __gc_at
    set -l path (__gc_path)
    test "$path" = "$argv[1]"
end
function __gc_names
    set -l typed (commandline -opc)
    $typed[1] __complete $argv[1] 2>/dev/null
end
${lines.join("\n")}
`;
}

function commandLines(program: string, model: CommandModel): string[] {
  const start = `complete -c ${program} -n ${quote(`__gc_at "${model.path.join(" ")}"`)}`;
  const children = model.children.map((child) => `${start} -a ${quote(child.name)} -d ${quote(child.summary)}`);
  const words = model.argument === undefined ? "" : offer(model.argument);
  const argument = words === "" ? [] : [`${start} ${words}`];
  return [...children, ...argument, ...model.options.map((option) => `${start} ${optionText(option)}`)];
}

function optionText({ long, short, description, value }: OptionModel): string {
  const names = [
    ...(long === undefined ? [] : [`-l ${long.replace(/^--/, "")}`]),
    ...(short === undefined ? [] : [`-s ${short.replace(/^-/, "")}`]),
  ];
  const takes = value === undefined ? "" : ` -x ${offer(value)}`;
  return `${names.join(" ")}${takes} -d ${quote(description)}`;
}

function offer(kind: WordKind): string {
  switch (kind.kind) {
    case "choices":
      return `-a ${quote(kind.words.join(" "))}`;
    case "files":
      return "-a '(__fish_complete_path)'";
    case "folders":
      return "-a '(__fish_complete_directories)'";
    case "none":
      return "";
    default:
      return `-a '(__gc_names ${kind.kind})'`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
