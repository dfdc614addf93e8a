/**
 * Completions for bash: a function that walks the words typed so far to the command meant, then offers what may follow.
 * Works without the bash-completion package. Pure.
 */
import { type CommandModel, valueOptions, type WordKind } from "./model.ts";

/** The script to be sourced. */
export function bashCompletion(models: readonly CommandModel[], programs: readonly string[]): string {
  const paths = models.filter((model) => model.path.length > 0).map((model) => `"${model.path.join(" ")}"`);
  return `# bash completion for gc. Load it:  source <(gc completion bash)
_gc() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" path="" word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ "$word" == "--" ]]; then
      COMPREPLY=($(compgen -c -- "$current") $(compgen -f -- "$current"))
      return 0
    fi
    case "\${path:+$path }$word" in
      ${paths.join(" | ")}) path="\${path:+$path }$word" ;;
    esac
  done
  previous="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$path|$previous" in
${models.flatMap((model) => valueCases(model, models[0])).join("\n")}
  esac
  case "$path" in
${models.map(wordCase).join("\n")}
  esac
  return 0
}
_gc_names() {
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" __complete "$1" 2>/dev/null)" -- "$2"))
}
complete -o bashdefault -F _gc ${programs.join(" ")}
`;
}

/** What follows an option that takes a value; those of gc itself are the same for every command. */
function valueCases(model: CommandModel, root: CommandModel | undefined): string[] {
  const path = model === root ? "*" : "";
  return valueOptions(model, root).map(({ names, value }) => {
    const patterns = names.map((name) => `${path}"${model.path.join(" ")}|${name}"`);
    return `    ${patterns.join(" | ")}) ${offer(value)}; return 0 ;;`;
  });
}

/** What follows a command: its options after a hyphen, else its commands or its arguments. */
function wordCase({ path, options, children, argument }: CommandModel): string {
  const names = options.flatMap((option) => option.long ?? option.short ?? []);
  const plain = children.length > 0 ? words(children.map((child) => child.name)) : offer(argument ?? { kind: "none" });
  return `    "${path.join(" ")}")
      if [[ "$current" == -* ]]; then ${words(names)}; else ${plain}; fi ;;`;
}

function offer(kind: WordKind): string {
  switch (kind.kind) {
    case "choices":
      return words(kind.words);
    case "files":
      return 'COMPREPLY=($(compgen -f -- "$current"))';
    case "folders":
      return 'COMPREPLY=($(compgen -d -- "$current"))';
    case "none":
      return ":";
    default:
      return `_gc_names ${kind.kind} "$current"`;
  }
}

function words(list: readonly string[]): string {
  return `COMPREPLY=($(compgen -W "${list.join(" ")}" -- "$current"))`;
}
