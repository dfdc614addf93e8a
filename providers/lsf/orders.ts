/** `bkill`, `bstop` and `bresume`: a line for each block, good news on standard output and bad on standard error. */
import type { Answer, BlockRef, OrderOutcome } from "../outcome.ts";
import type { Order } from "../profile.ts";
import { textOf } from "../submission.ts";
import { jobNumber } from "./long_form.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

/** SIGINT, ten seconds later SIGTERM, ten seconds later SIGKILL (seen on OpenLava 4.0). */
export const bkill: Order = { command: "bkill", ids_max: 50, args: ids, read: readOrder };
/** Does not wait for a node that is out of reach. */
export const bkillForce: Order = { ...bkill, args: (refs) => ["-r", ...ids(refs)] };
export const bstop: Order = { ...bkill, command: "bstop" };
export const bresume: Order = { ...bkill, command: "bresume" };

function readOrder(answer: Answer, ref: BlockRef): OrderOutcome {
  const naming = `Job <${jobNumber(ref.id)}`;
  const said = `${answer.stdout}\n${answer.stderr}`
    .split("\n")
    .find((line) => line.includes(`${naming}>`) || line.includes(`${naming}[`));
  if (said === undefined) return { is: "unsure", text: textOf(answer) };
  if (/is being (terminated|stopped|resumed)|Operation is in progress/.test(said)) return { is: "accepted" };
  if (/already finished|No matching job found|is not found/.test(said)) return { is: "gone" };
  return /permission denied/i.test(said) ? { is: "denied", text: said } : { is: "unsure", text: said };
}
