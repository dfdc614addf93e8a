/** Completions for zsh: the same walk as in bash, with the description of every word. Pure. */
import { type CommandModel, valueOptions, type WordKind } from "./model.ts";

/** The script to be sourced, or put into a folder of \$fpath as `_gc`. */
export function zshCompletion(models: readonly CommandModel[], programs: readonly string[]): string {
  const paths = models.filter((model) => model.path.length > 0).map((model) => quote(model.path.join(" ")));
  return `#compdef ${programs.join(" ")}
# zsh completion for gc. Load it:  source <(gc completion zsh)
_gc() {
  local current="\${words[CURRENT]}" before="" at="" word i
  local -a offers
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if [[ "$word" == "--" ]]; then
      _command_names -e
      _files
      return
    fi
    case "\${at:+$at }$word" in
      (${paths.join(" | ")}) at="\${at:+$at }$word" ;;
    esac
  done
  before="\${words[CURRENT-1]}"
  case "$at|$before" in
${models.flatMap((model) => valueCases(model, models[0])).join("\n")}
  esac
  case "$at" in
${models.map(wordCase).join("\n")}
  esac
}
_gc_names() {
  local -a names
  names=("\${(@f)$("\${words[1]}" __complete "$1" 2>/dev/null)}")
  compadd -a names
}
if [[ "\${funcstack[1]}" == _gc ]]; then
  _gc "$@"
else
  compdef _gc ${programs.join(" ")}
fi
`;
}

function valueCases(model: CommandModel, root: CommandModel | undefined): string[] {
  const path = model === root ? "*" : "";
  return valueOptions(model, root).map(({ names, value }) => {
    const patterns = names.map((name) => path + quote(`${model.path.join(" ")}|${name}`));
    return `    (${patterns.join(" | ")}) ${offer(value)}; return ;;`;
  });
}

function wordCase({ path, options, children, argument }: CommandModel): string {
  const flags = options.flatMap((option) => {
    const name = option.long ?? option.short;
    return name === undefined ? [] : [described(name, option.description)];
  });
  const plain =
    children.length > 0
      ? `offers=(${children.map((child) => described(child.name, child.summary)).join(" ")}); _describe command offers`
      : offer(argument ?? { kind: "none" });
  return `    (${quote(path.join(" "))})
      if [[ "$current" == -* ]]; then offers=(${flags.join(" ")}); _describe option offers
      else ${plain}; fi ;;`;
}

function offer(kind: WordKind): string {
  switch (kind.kind) {
    case "choices":
      return `compadd -- ${kind.words.map(quote).join(" ")}`;
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "none":
      return ":";
    default:
      return `_gc_names ${kind.kind}`;
  }
}

/** `name:description` for _describe, in which a colon of the name would be the separator. */
function described(name: string, description: string): string {
  return quote(`${name.replaceAll(":", "\\:")}:${description}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
