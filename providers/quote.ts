/** Words for a POSIX shell, both ways: a value → one word of a line, and a line of options → its words. */
import { refused } from "./block_request.ts";

/** `text` as one word that the shell takes as it is. */
export function quoted(text: string): string {
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command line of these words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/**
 * The words of a line of options, split at blanks outside quotes. Nothing is expanded: `$HOME` stays as it is.
 * @throws GcError config naming `field` when a quote is left open or a line break is inside.
 */
export function wordsOf(field: string, text: string): string[] {
  if (/[\0\n\r]/.test(text)) throw refused(field, text, "one line");
  const words: string[] = [];
  const pattern = /\s+|((?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)/gy;
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    at = match.index + match[0].length;
    if (match[1] !== undefined) words.push(unquoted(match[1]));
  }
  if (at !== text.length) throw refused(field, text, "words with closed quotes");
  return words;
}

function unquoted(word: string): string {
  return word.replace(/\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/g, (_, escaped, single, double) => {
    return escaped ?? single ?? String(double).replace(/\\(.)/g, "$1");
  });
}
