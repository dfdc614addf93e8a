/** Which reader of the Grid Engine profile reads which captured command, and what it makes of it. */
import { gridengine } from "../../providers/gridengine/gridengine.ts";
import { readQacct, readQstatXml } from "../../providers/gridengine/status.ts";
import { openProvider } from "../../providers/provider.ts";
import {
  answerOf,
  type Capture,
  stateWord,
  told,
  toldAllocation,
  toldFindings,
  toldOrder,
  toldSubmit,
} from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(gridengine, siteOf(gridengine));

/** What our readers make of a capture, or undefined when its command is none that we ever run. */
export function readGridEngine(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const qacct = cmd.match(/^qacct -j (\d+)$/);
  if (qacct !== null) {
    const ref = { id: qacct[1] ?? "" };
    const query = { ...gridengine.observe, read: readQacct };
    const found = openProvider({ ...gridengine, observe: query }, siteOf(gridengine)).readObserve([ref], [answer]);
    return { kind: "status", means: `${ref.id} ${told(found.get(ref.id))}` };
  }
  if (/^qstat (-r |-g d |-s z )?-xml$/.test(cmd)) {
    const { rows, why } = readQstatXml(answer);
    const words = rows.map(({ id, facts }) => `${id} ${stateWord(facts.state)} ${facts.raw}`);
    const named = toldFindings(provider.readAdopt(answer));
    return { kind: "find", means: [...words, why === undefined ? named : "not covered"].join("; ") };
  }
  if (/^qstat -help|^qstat --version/.test(cmd)) {
    const { present, version } = gridengine.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  const inside = capture.case === "injob-env" ? capture.files : undefined;
  if (inside !== undefined) {
    const dump = inside["env-batch.out"] ?? "";
    const path = dump.match(/^PE_HOSTFILE=(.*)$/m)?.[1] ?? "";
    return { kind: "inside", means: toldAllocation(gridengine, dump, { [path]: inside["pe_hostfile.out"] ?? "" }) };
  }
  if (/(^|; |\| |[A-Z]+=\S+ )qsub (?!--version|-help)/.test(cmd)) {
    return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  }
  const order = cmd.match(/^(qdel|qhold|qrls)((?: \d+)+)$/);
  if (order === null) return undefined;
  const names = { qdel: "cancel", qhold: "hold", qrls: "release" } as const;
  const refs = (order[2] ?? "")
    .trim()
    .split(" ")
    .map((id) => ({ id }));
  return { kind: "order", means: toldOrder(provider.readOrder(names[order[1] as "qdel"], refs, [answer])) };
}
