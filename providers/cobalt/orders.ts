/** `qdel`, `qhold` and `qrls` of Cobalt: always exit code 0, so what is printed is the only answer. */
import type { Answer, BlockRef, OrderOutcome } from "../outcome.ts";
import type { Order } from "../profile.ts";
import { textOf } from "../submission.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

/** One SIGTERM, and no SIGKILL as long as it was watched; repeating the order does no harm. */
export const qdel: Order = {
  command: "qdel",
  ids_max: 50,
  args: ids,
  read(answer, { id }) {
    if (answer.code !== 0 || answer.stderr.trim() !== "") return { is: "unsure", text: textOf(answer) };
    const listed = new RegExp(`^\\s*${id}\\s+\\S+\\s*$`, "m").test(answer.stdout);
    // Unknown, finished and other people's blocks are passed over in silence.
    return listed ? { is: "accepted" } : { is: "gone" };
  },
};

export const qhold: Order = { command: "qhold", ids_max: 1, args: ids, read: readHold };
export const qrls: Order = { ...qhold, command: "qrls" };

function readHold(answer: Answer, { id }: BlockRef): OrderOutcome {
  const said = answer.stdout.split("\n");
  if (said.some((line) => new RegExp(`job ${id} not found`).test(line))) return { is: "gone" };
  if (said.some((line) => new RegExp(`job ${id} does not have a 'user hold'`).test(line))) return { is: "accepted" };
  const refusal = said.find((line) => new RegExp(`job ${id} `).test(line));
  if (refusal !== undefined) return { is: "denied", text: refusal.trim() };
  const listed = said.some((line) => line.trim() === id) && !/Failed/.test(answer.stdout);
  return listed ? { is: "accepted" } : { is: "unsure", text: textOf(answer) };
}
