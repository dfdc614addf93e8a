/** Which reader of the LSF profile reads which sample, and what it makes of it. The samples follow LSF's manual. */
import { lsf } from "../../providers/lsf/lsf.ts";
import { openProvider } from "../../providers/provider.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(lsf, siteOf(lsf));

export function readLsf(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const bjobs = cmd.match(/^bjobs -a -o "[^"]+" -json((?: \d+)+)?$/);
  if (bjobs !== null && bjobs[1] === undefined) {
    return { kind: "find", means: toldFindings(provider.readAdopt(answer)) };
  }
  if (bjobs !== null) {
    const refs = (bjobs[1] ?? "")
      .trim()
      .split(" ")
      .map((id) => ({ id }));
    const found = provider.readObserve(refs, [answer]);
    return { kind: "status", means: refs.map(({ id }) => `${id} ${told(found.get(id))}`).join("; ") };
  }
  if (/^bsub </.test(cmd)) return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  if (/ -V$/.test(cmd)) {
    const { present, version } = lsf.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  if (capture.case === "injob-env") return { kind: "inside", means: toldAllocation(lsf, capture.stdout, {}) };
  const order = cmd.match(/^bkill (\d+)$/);
  if (order === null) return undefined;
  return { kind: "order", means: toldOrder(provider.readOrder("cancel", [{ id: order[1] ?? "" }], [answer])) };
}
