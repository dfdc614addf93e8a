/** The words of a submission: those on the command line, and those in the directives of the script. */
import { directivesSeen } from "../providers/reading_rules.ts";

/** Options by letter or word → whether a value follows. */
export type Table = { readonly [option: string]: boolean };

export interface Options {
  readonly given: readonly { readonly option: string; readonly value: string }[];
  readonly rest: readonly string[];
  /** The first one that the table does not have. */
  readonly unknown?: string;
}

/** Words of a line; double and single quotes hold them together. */
export function wordsOf(line: string): string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, a, b) => a ?? b ?? ""));
}

/** Options up to the first word that is none. */
export function optionsOf(words: readonly string[], table: Table): Options {
  const given: { option: string; value: string }[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") break;
    const takes = table[word];
    if (takes === undefined) return { given, rest: words.slice(at), unknown: word };
    given.push({ option: word, value: takes ? (words[++at] ?? "") : "" });
  }
  return { given, rest: words.slice(at) };
}

/** The words of all directives in a script. */
export function directiveWords(text: string, prefix: string, placement: Placement): string[] {
  return directivesSeen(text, { prefix, placement }).flatMap(wordsOf);
}

type Placement = Parameters<typeof directivesSeen>[1]["placement"];

/** The value of an option: of several, the first or the last. */
export function chosen({ given }: Options, option: string, wins: "first" | "last" = "first"): string | undefined {
  const all = given.filter((one) => one.option === option);
  return (wins === "first" ? all[0] : all.at(-1))?.value;
}

/** `1:02:03`, `02:03` or seconds. */
export function secondsOf(clock: string): number | undefined {
  if (!/^\d+(:\d+){0,2}$/.test(clock)) return undefined;
  return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
