/**
 * What was true when a status was captured, by the name of its situation: the same names mean the same for all
 * schedulers (captures/README). A listing may lag behind or forget, but it must not say otherwise.
 */

/** Situations in which the block was not over. */
const alive = /^(running|pending|held|hold-running|released|suspended|array-running|requeued|late-timelimit)/;
/** Situations in which it was over, or about to be, and had not done its work. */
const notFine =
  /^(cancelled|cancelling|killed|killing|exit1|finished-rc3|rc\d|walltime|oom$|oom-s|nodefail|preempted|completing)/;

/** Names that look like another situation. */
const exceptions: { readonly [situation: string]: { alive: boolean; fine: boolean } } = {
  // Its script had waited for a block that never was, and ran.
  "dependency-never": { alive: false, fine: true },
  "oom-step": { alive: false, fine: true },
  // Exit code 99 sends it back into the queue, and then it ended well.
  rc99: { alive: false, fine: true },
};

/** What may be said of the blocks of a case; undefined when its name says nothing about them. */
export function situationOf(name: string): { alive: boolean; fine: boolean } | undefined {
  const situation = name.replace(/^(status|nohistory|noacct)-/, "");
  const exception = Object.entries(exceptions).find(([start]) => situation.startsWith(start));
  if (exception !== undefined) return exception[1];
  if (alive.test(situation)) return { alive: true, fine: false };
  if (notFine.test(situation)) return { alive: false, fine: false };
  return undefined;
}
