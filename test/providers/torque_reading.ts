/** Which reader of the Torque profile reads which sample, and what it makes of it. The samples follow its sources. */
import { openProvider } from "../../providers/provider.ts";
import { torque } from "../../providers/torque/torque.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(torque, siteOf(torque));

export function readTorque(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  if (cmd === "qstat -x") return { kind: "find", means: toldFindings(provider.readAdopt(answer)) };
  const qstat = cmd.match(/^qstat -x((?: \d\S*)+)$/);
  if (qstat !== null) {
    const refs = (qstat[1] ?? "")
      .trim()
      .split(" ")
      .map((id) => ({ id }));
    const found = provider.readObserve(refs, [answer]);
    return { kind: "status", means: refs.map(({ id }) => `${id} ${told(found.get(id))}`).join("; ") };
  }
  if (/^qsub /.test(cmd)) return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  if (cmd === "qstat --version") {
    const { present, version } = torque.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  if (capture.case === "injob-env") {
    const files = { "/nodes": capture.files?.nodes ?? "", "/gpus": capture.files?.gpus ?? "" };
    return { kind: "inside", means: toldAllocation(torque, capture.stdout, files) };
  }
  const order = cmd.match(/^qdel (\S+)$/);
  if (order === null) return undefined;
  return { kind: "order", means: toldOrder(provider.readOrder("cancel", [{ id: order[1] ?? "" }], [answer])) };
}
