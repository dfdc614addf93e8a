/** Which reader of the Cobalt profile reads which captured command, and what it makes of it. */
import { cobalt } from "../../providers/cobalt/cobalt.ts";
import { openProvider } from "../../providers/provider.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(cobalt, siteOf(cobalt));

/** What our readers make of a capture, or undefined when its command is none that we ever run. */
export function readCobalt(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const qstat = cmd.match(/^qstat --header (JobID:JobName:\S*)((?: \d+)+)$/);
  if (qstat !== null) {
    const ids = (qstat[2] ?? "").trim().split(" ");
    const refs = ids.map((id) => ({ id }));
    const found = provider.readObserve(refs, [answer]);
    return { kind: "status", means: ids.map((id) => `${id} ${told(found.get(id))}`).join("; ") };
  }
  if (/^qstat( --header JobID:JobName:State)?$/.test(cmd)) {
    return { kind: "find", means: toldFindings(provider.readAdopt(answer)) };
  }
  if (cmd === "qstat --version") {
    const { present, version } = cobalt.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  const inside = capture.case === "injob-env" ? capture.files : undefined;
  if (inside !== undefined) {
    const dump = inside["env-batch.out"] ?? "";
    const path = dump.match(/^COBALT_NODEFILE=(.*)$/m)?.[1] ?? "";
    return { kind: "inside", means: toldAllocation(cobalt, dump, { [path]: inside["nodefile.out"] ?? "" }) };
  }
  if (/(^|; |\| )c?qsub (?!--version|--help)/.test(cmd)) {
    return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  }
  const order = cmd.match(/^(qdel|qhold|qrls)((?: \d+)+) ?$/);
  if (order === null) return undefined;
  const names = { qdel: "cancel", qhold: "hold", qrls: "release" } as const;
  const refs = (order[2] ?? "")
    .trim()
    .split(" ")
    .map((id) => ({ id }));
  return { kind: "order", means: toldOrder(provider.readOrder(names[order[1] as "qdel"], refs, [answer])) };
}
