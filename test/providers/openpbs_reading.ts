/** Which reader of the PBS Pro profile reads which captured command, and what it makes of it. */
import { pbspro } from "../../providers/pbspro/pbspro.ts";
import { readQstat, readQstatWide } from "../../providers/pbspro/status.ts";
import { openProvider } from "../../providers/provider.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(pbspro, siteOf(pbspro));

/** What our readers make of a capture, or undefined when its command is none that we ever run. */
export function readOpenPbs(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const qstat = cmd.match(/^qstat((?: -[xtE])*) -f -F json((?: '?\d\S*)*)$/);
  if (qstat !== null) {
    // Without -E, several ids are several requests, and an id that is not named is not known to be gone.
    const grouped = /-E/.test(qstat[1] ?? "");
    const ids = idsOf(qstat[2] ?? "");
    const read = () => {
      const listing = readQstat(answer);
      const { isAbsent } = listing;
      return { ...listing, isAbsent: (ref: { id: string }) => (grouped || ids.length === 1) && isAbsent(ref) };
    };
    const asked = openProvider({ ...pbspro, observe: { ...pbspro.observe, read } }, siteOf(pbspro));
    const refs = ids.map((id) => ({ id }));
    const found = asked.readObserve(refs, [answer]);
    return { kind: "status", means: ids.map((id) => `${id} ${told(found.get(id))}`).join("; ") };
  }
  const wide = cmd.match(/^qstat -w((?: \d\S*)+)$/);
  if (wide !== null) {
    const { rows } = readQstatWide(answer);
    return {
      kind: "status",
      means: rows.map(({ id, facts }) => `${id} ${told({ seen: "seen", ...facts })}`).join("; "),
    };
  }
  if (cmd === "qstat") return { kind: "find", means: toldFindings(provider.readAdopt(answer)) };
  if (cmd === "qstat --version") return { kind: "probe", means: `${probed(answer)}` };
  const inside = capture.case === "injob-env" ? capture.files : undefined;
  if (inside !== undefined) {
    const dump = inside["env-batch.out"] ?? "";
    const path = dump.match(/^PBS_NODEFILE=(.*)$/m)?.[1] ?? "";
    return { kind: "inside", means: toldAllocation(pbspro, dump, { [path]: inside["nodefile.out"] ?? "" }) };
  }
  if (/(^|; |\| |&& |[A-Z]+=\S+ )qsub (?!--version)/.test(cmd)) {
    return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  }
  const order = cmd.match(/^(qdel|qhold|qrls)( -W force)?((?: '?\d\S*)+)$/);
  if (order === null) return undefined;
  const names = { qdel: "cancel", qhold: "hold", qrls: "release" } as const;
  const refs = idsOf(order[3] ?? "").map((id) => ({ id }));
  const chunks = order[1] === "qdel" ? [answer] : refs.map(() => answer);
  return { kind: "order", means: toldOrder(provider.readOrder(names[order[1] as "qdel"], refs, chunks)) };
}

function probed(answer: ReturnType<typeof answerOf>): string {
  const { present, version } = pbspro.readProbe([answer]);
  return `${present} ${version}`;
}

function idsOf(list: string): string[] {
  return list
    .trim()
    .split(/\s+/)
    .map((id) => id.replaceAll("'", ""))
    .filter((id) => id !== "");
}
