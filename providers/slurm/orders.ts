/**
 * `scancel`, `scontrol hold` and `scontrol release`. Without `-v`, scancel is silent about blocks that are unknown or
 * over and exits with 0; with it, it says so and still exits with 0 (seen on 22.05).
 */
import { mentions } from "../delimited.ts";
import type { Answer, BlockRef, OrderOutcome } from "../outcome.ts";
import type { Order } from "../profile.ts";
import { textOf } from "../submission.ts";
import { numberOf } from "./status.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

export const cancel: Order = {
  command: "scancel",
  ids_max: 100,
  args: (refs) => ["-v", ...ids(refs)],
  read: readOrder,
};

/** Kills all processes of the block, the batch shell too, at once. */
export const forceCancel: Order = {
  command: "scancel",
  ids_max: 100,
  args: (refs) => ["-v", "-f", "-s", "KILL", ...ids(refs)],
  read: readOrder,
};

export const hold: Order = { command: "scontrol", ids_max: 1, args: (refs) => ["hold", ...ids(refs)], read: readOrder };

export const release: Order = { ...hold, args: (refs) => ["release", ...ids(refs)] };

function readOrder(answer: Answer, ref: BlockRef): OrderOutcome {
  const said = answer.stderr.split("\n").filter((line) => mentions(line, numberOf(ref)));
  const text = said.find((line) => !/Terminating job|Signal \d+ to/.test(line)) ?? "";
  if (/already (completing or completed|finished)|Invalid job id specified/.test(text)) return { is: "gone" };
  if (/denied|Invalid user id/.test(text)) return { is: "denied", text };
  return text === "" && answer.code === 0 ? { is: "accepted" } : { is: "unsure", text: text || textOf(answer) };
}
