/**
 * Text from outside, made harmless for a terminal. Names, labels, error texts of other machines may hold escape
 * sequences that move the cursor, retitle the window or paste into the shell; here they become visible instead.
 */

/** Control characters but tab and line feed, line separators, and marks that turn the reading direction. */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;
const breaks = /[\t\n]/g;

/** Text of several lines with everything that a terminal would obey written as `\x1b` or `\u202e`. */
export function visibleText(text: string): string {
  return text.replace(unsafe, written);
}

/** A name on one line: like visibleText, and tabs and line ends are written out too. */
export function visible(name: string): string {
  return visibleText(name).replace(breaks, (c) => (c === "\t" ? "\\t" : "\\n"));
}

function written(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
