/** How each scheduler finds the directives in a script, written down once more for the tests (captures/README.md). */
import type { ScriptRules } from "../../providers/profile.ts";

/** The directives that a scheduler sees in `text`, without the prefix. */
export function directivesSeen(
  text: string,
  { prefix, placement }: Pick<ScriptRules, "prefix" | "placement">,
): string[] {
  const lines = text.split("\n");
  const seen: string[] = [];
  for (const [i, line] of lines.entries()) {
    const is_directive = line.startsWith(`${prefix} `);
    if (is_directive) seen.push(line.slice(prefix.length + 1));
    if (placement === "below_shebang" && i > 0 && !is_directive) break;
    if (placement === "before_first_command" && line !== "" && !line.startsWith("#")) break;
  }
  return seen;
}
