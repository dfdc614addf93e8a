/** `qdel`, `qhold` and `qrls` of PBS Pro. Each id that something is wrong with is named, not always with its suffix. */
import type { Answer, BlockRef, OrderOutcome } from "../outcome.ts";
import type { Order } from "../profile.ts";
import { textOf } from "../submission.ts";
import { sequenceOf } from "./status.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

export const qdel: Order = { command: "qdel", ids_max: 50, args: ids, read: readOrder };
export const qdelForce: Order = { ...qdel, args: (refs) => ["-W", "force", ...ids(refs)] };
/** One at a time: `qhold: Job has finished` names nobody. */
export const qhold: Order = { command: "qhold", ids_max: 1, args: ids, read: readOrder };
export const qrls: Order = { ...qhold, command: "qrls" };

/** Errors that end only the order for the block they name. */
const ownFault = /Unknown Job Id|Job has finished|Request invalid for state of job/;

export function readOrder(answer: Answer, ref: BlockRef): OrderOutcome {
  const lines = answer.stderr.split("\n").filter((line) => /^q\w+: /.test(line));
  const naming = new RegExp(`(?<!\\d)${sequenceOf(ref.id)}(?![\\d])`);
  const said =
    lines.find((line) => naming.test(line)) ?? lines.find((line) => /^q\w+: Job has finished\s*$/.test(line));
  const text = said ?? "";
  if (/Unknown Job Id|Job has finished/.test(text)) return { is: "gone" };
  if (/Unauthorized Request|Permission denied/.test(text)) return { is: "denied", text };
  if (/Request invalid for state of job/.test(text)) return { is: "unsure", text };
  const others = lines.length > 0 && lines.every((line) => ownFault.test(line));
  if (said === undefined && (answer.code === 0 || others)) return { is: "accepted" };
  return { is: "unsure", text: text || textOf(answer) };
}
