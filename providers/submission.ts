/**
 * The answer of a submit command → accepted, rejected or ambiguous. A submission is not idempotent, so everything that
 * is not plainly one of the first two is ambiguous: the block may be in the queue (providers.md §1.3).
 */
import type { Answer, SubmitOutcome } from "./outcome.ts";
import type { Profile } from "./profile.ts";

export function readSubmission(profile: Profile, answer: Answer): SubmitOutcome {
  const { submit } = profile;
  const said = submit.reads_stderr ? `${answer.stdout}\n${answer.stderr}` : answer.stdout;
  const found = new Map<string, string | undefined>();
  for (const line of said.split(/\r?\n/)) {
    const groups = submit.ids.map((pattern) => line.match(pattern)?.groups).find((match) => match?.id !== undefined);
    if (groups?.id !== undefined) found.set(groups.id, groups.cluster ?? groups.cluster_name);
  }
  const text = textOf(answer);
  const [first] = found;
  if (first !== undefined) {
    const [id, cluster] = first;
    if (found.size > 1) return { is: "ambiguous", text };
    return { is: "accepted", id, ...(cluster === undefined ? {} : { cluster }) };
  }
  if (answer.code === undefined || answer.code === 0) return { is: "ambiguous", text };
  const meant = submit.refusals.find(({ pattern }) => pattern.test(text));
  if (meant === undefined || meant.class === "ambiguous") return { is: "ambiguous", text };
  return { is: "rejected", class: meant.class, text };
}

/** What a command said, for a person: the error first. */
export function textOf(answer: Answer): string {
  const text = [answer.stderr.trim(), answer.stdout.trim()].filter((part) => part !== "").join("\n");
  if (text !== "") return text.slice(0, 4096);
  return answer.code === undefined ? "The command did not end in time" : `Exit code ${answer.code}, and no word`;
}
