/** Which reader of the OpenLava profile reads which captured command, and what it makes of it. */
import { readLong } from "../../providers/lsf/long_form.ts";
import { openlava } from "../../providers/lsf/openlava.ts";
import { openProvider } from "../../providers/provider.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(openlava, siteOf(openlava));

/** What our readers make of a capture, or undefined when its command is none that we ever run. */
export function readOpenLava(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const long = cmd.match(/^(?:bjobs -UF|bhist -l)((?: \d+)+)$/);
  if (long !== null) {
    const ids = (long[1] ?? "").trim().split(" ");
    const refs = ids.map((id) => ({ id }));
    const query = { ...openlava.observe, read: readLong };
    const found = openProvider({ ...openlava, observe: query }, siteOf(openlava)).readObserve(refs, [answer]);
    return { kind: "status", means: ids.map((id) => `${id} ${told(found.get(id))}`).join("; ") };
  }
  if (/^bjobs (-a )?-w( -noheader)?( -J gc\w+| \d+)*$|^bjobs( -a -w)?$/.test(cmd)) {
    return { kind: "find", means: toldFindings(provider.readAdopt(answer)) };
  }
  const inside = capture.case === "injob-env" ? capture.files?.["env-batch.out"] : undefined;
  if (inside !== undefined) return { kind: "inside", means: toldAllocation(openlava, inside, {}) };
  if (/(^|; |\| |timeout \d+ |[A-Z]+=\S+ )bsub (?!-V|-h)/.test(cmd) || / \| bsub$/.test(cmd)) {
    return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  }
  if (/^b(jobs|sub) -V$/.test(cmd)) {
    const { present, version } = openlava.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  const order = cmd.match(/^(bkill|bstop|bresume)( -r)?((?: '?\d\S*)+)$/);
  if (order === null || / 0$/.test(cmd)) return undefined;
  const names = { bkill: "cancel", bstop: "hold", bresume: "release" } as const;
  const refs = (order[3] ?? "")
    .trim()
    .split(" ")
    .map((id) => ({ id: id.replaceAll("'", "") }));
  return { kind: "order", means: toldOrder(provider.readOrder(names[order[1] as "bkill"], refs, [answer])) };
}
