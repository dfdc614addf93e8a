/** `qdel`, `qhold` and `qrls` of Grid Engine: a sentence for each block on standard output, good or bad. */
import { mentions } from "../delimited.ts";
import type { Answer, BlockRef, OrderOutcome } from "../outcome.ts";
import type { Order } from "../profile.ts";
import { textOf } from "../submission.ts";
import { jobNumber } from "./status.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

/**
 * SIGKILL at once, or SIGUSR2 first where the block was asked for with `-notify`. There is nothing stronger: `-f` is
 * for administrators, and for others it prints dots for ever (seen on 8.1.9).
 */
export const qdel: Order = { command: "qdel", ids_max: 50, args: ids, read: readOrder };
export const qhold: Order = { command: "qhold", ids_max: 1, args: ids, read: readOrder };
export const qrls: Order = { command: "qrls", ids_max: 1, args: ids, read: readOrder };

function readOrder(answer: Answer, ref: BlockRef): OrderOutcome {
  const lines = `${answer.stdout}\n${answer.stderr}`.split("\n");
  const said = lines.find((line) => mentions(line, jobNumber(ref.id)) && /\bjob/.test(line)) ?? "";
  if (/for deletion|has deleted job|already in deletion|forced the deletion|modified hold/.test(said))
    return { is: "accepted" };
  if (/does not exist/.test(said)) return { is: "gone" };
  if (/privileges|at least owner/.test(said)) return { is: "denied", text: said };
  // A release of what was not held says nothing.
  if (answer.code === 0 && answer.stdout.trim() === "" && answer.stderr.trim() === "") return { is: "accepted" };
  return { is: "unsure", text: said || textOf(answer) };
}
