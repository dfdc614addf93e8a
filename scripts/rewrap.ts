/**
 * Moves words that stand beyond column 120 of a comment to its next line; the formatter leaves prose alone. Only what
 * is too long is touched, so a second run changes nothing.
 *
 *     bun scripts/rewrap.ts FILE…
 */
import { readFileSync, writeFileSync } from "node:fs";

const columnsMax = 120;

/** `text` with every long line of a comment (`// …`, ` * …`, `# …`) broken at a space. */
export function rewrapped(text: string): string {
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const lead = /^\s*(\/\/|\*|#|\/\*\*) /.exec(line)?.[0];
    if (lead === undefined || line.length <= columnsMax) continue;
    // The end of a comment may stand beyond the column together with its last word.
    const cut = line.lastIndexOf(" ", line.endsWith(" */") ? Math.min(columnsMax, line.length - 4) : columnsMax);
    if (cut < lead.length) continue;
    const rest = line.slice(cut + 1);
    lines[at] = line.slice(0, cut);
    const next_lead = lead.replace("/**", " *");
    const next = lines[at + 1] ?? "";
    if (rest.endsWith("*/") || !continues(next, next_lead)) lines.splice(at + 1, 0, next_lead + rest);
    else lines[at + 1] = next_lead + rest + next.slice(next_lead.length - 1);
  }
  return lines.join("\n");
}

/** Whether `next` goes on with the same paragraph: no blank line, list item, tag, table or indented example. */
function continues(next: string, lead: string): boolean {
  return next.startsWith(lead) && /^[^\s\-*@|/]/.test(next.slice(lead.length));
}

if (import.meta.main) {
  for (const path of process.argv.slice(2)) {
    const before = readFileSync(path, "utf8");
    const after = rewrapped(before);
    if (after !== before) writeFileSync(path, after);
  }
}
