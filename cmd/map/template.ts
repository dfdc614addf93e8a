/**
 * The command of `gc map` with its placeholders, as GNU parallel has them: `{}`, `{1}`, `{name}`, `{#}`, and for paths
 * `{.}` without extension, `{/}` last part, `{//}` folder, `{/.}` last part without extension. What is no placeholder,
 * such as awk's `{print}`, stays. Pure.
 */

/** One line of input, taken apart. `names`: columns that have a name. */
export interface Input {
  readonly columns: readonly string[];
  readonly names?: { readonly [name: string]: string };
  /** The line as a value, where it was JSON. */
  readonly json?: unknown;
}

type Form = (value: string) => string;

const lastPart: Form = (path) => path.slice(path.lastIndexOf("/") + 1);
const bare: Form = (path) => path.replace(/(?<=[^/])\.[^/.]*$/, "");
const folder: Form = (path) => {
  const at = path.lastIndexOf("/");
  return at > 0 ? path.slice(0, at) : at === 0 ? "/" : ".";
};

/** Longest first, so that `{//}` is not `{/}` of something. */
const forms: readonly (readonly [string, Form])[] = [
  ["/.", (path) => bare(lastPart(path))],
  ["//", folder],
  ["/", lastPart],
  [".", bare],
];

const braces = /\{([^{}\s]*)\}/g;

/** The words of a command line for one input; values are never read by a shell. */
export function argvFor(words: readonly string[], input: Input, seq: number): string[] {
  if (!words.some((word) => hasPlaceholder(word, input))) return [...words, ...input.columns];
  return words.flatMap((word) => (word === "{}" ? input.columns : [filled(word, input, seq, (value) => value)]));
}

/** The text of a shell command for one input; values are quoted. */
export function scriptFor(text: string, input: Input, seq: number): string {
  if (hasPlaceholder(text, input)) return filled(text, input, seq, quoted);
  return [text, ...input.columns.map(quoted)].join(" ");
}

/** Text in which placeholders are replaced and nothing else is done: the name of a file. */
export function plainFor(text: string, input: Input, seq: number): string {
  return filled(text, input, seq, (value) => value);
}

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function hasPlaceholder(text: string, input: Input): boolean {
  for (const [, inside = ""] of text.matchAll(braces)) {
    if (inside === "#" || valuesOf(inside, input) !== undefined) return true;
  }
  return false;
}

function filled(text: string, input: Input, seq: number, each: Form): string {
  return text.replace(braces, (whole, inside: string) => {
    if (inside === "#") return String(seq);
    return valuesOf(inside, input)?.map(each).join(" ") ?? whole;
  });
}

/** What a placeholder stands for; undefined when it is none. */
function valuesOf(inside: string, input: Input): string[] | undefined {
  const direct = named(inside, input);
  if (direct !== undefined) return direct;
  for (const [suffix, form] of forms) {
    if (!inside.endsWith(suffix)) continue;
    const values = named(inside.slice(0, -suffix.length), input);
    if (values !== undefined) return values.map(form);
  }
  return undefined;
}

function named(name: string, { columns, names }: Input): string[] | undefined {
  if (name === "") return [...columns];
  if (/^[1-9]\d{0,4}$/.test(name)) return [columns[Number(name) - 1] ?? ""];
  const value = names !== undefined && Object.hasOwn(names, name) ? names[name] : undefined;
  return value === undefined ? undefined : [value];
}
