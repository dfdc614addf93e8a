/** `bjobs -w -a -noheader`: a line per block of ours, by which a name is found. It does not say how a block ended. */
import type { Answer } from "../outcome.ts";
import type { Listing, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { lsfState } from "./states.ts";

export function readShort(answer: Answer): Listing {
  const rows = answer.stdout.split("\n").flatMap((line): Row[] => {
    const match = line.match(
      /^(\d+)\s+(\S+)\s+([A-Z]+)\s+\S+\s+\S+\s+(?:\S+\s+)?(\S+?)(?:\[\d+\])?\s+[A-Z][a-z]{2}\s+\d+\s+\d\d:\d\d\s*$/,
    );
    if (match === null) return [];
    const [, id = "", owner = "", raw = "", name = ""] = match;
    return [{ id, facts: { state: lsfState(raw, undefined), raw, name, owner }, text: line }];
  });
  const none = /No (unfinished )?job found/.test(answer.stderr);
  const covered = none || (answer.code === 0 && isWholeList(answer.stdout));
  return { rows, isAbsent: () => false, ...(covered ? {} : { why: textOf(answer) }) };
}

/** That there are no blocks is said in words, so noise lists nothing; the last line of a cut list has no end. */
function isWholeList(stdout: string): boolean {
  return /^\d+\s+\S+\s+[A-Z]{3,5}\s/m.test(stdout) && stdout.endsWith("\n");
}
