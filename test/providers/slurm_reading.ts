/** Which reader of the Slurm profile reads which captured command, and what it makes of it. */

import type { Listing, Query } from "../../providers/profile.ts";
import { openProvider } from "../../providers/provider.ts";
import { slurm } from "../../providers/slurm/slurm.ts";
import { readSacct, readSqueueOfIds } from "../../providers/slurm/status.ts";
import { answerOf, type Capture, told, toldAllocation, toldFindings, toldOrder, toldSubmit } from "./captures.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";

const provider = openProvider(slurm, siteOf(slurm));

/** What our readers make of a capture, or undefined when its command is none that we ever run. */
export function readSlurm(capture: Capture): Reading | undefined {
  const { cmd } = capture;
  const answer = answerOf(capture);
  const squeue = cmd.match(/^squeue(?: -M virtual)? -h (?:-a )?(?:-t all )?-j (\S+)(?: -t all)? -o '?([^' ]+)'?$/);
  if (squeue !== null) return statusOf(squeue[1] ?? "", (refs) => readSqueueOfIds(answer, squeue[2] ?? "", refs));
  const sacct = cmd.match(/^sacct (?:-a )?(?:-X )?-n -P -j (\S+) -o (\S+)$/);
  if (sacct !== null) return statusOf(sacct[1] ?? "", () => readSacct(answer, (sacct[2] ?? "").split(",")));
  if (/^([A-Z_]+=\S+ )?sbatch(?! --test-only| -V| --version)/.test(cmd) || /\| sbatch/.test(cmd)) {
    return { kind: "submit", means: toldSubmit(provider.readSubmit(answer)) };
  }
  if (/^sbatch (-V|--version)$/.test(cmd)) {
    const { present, version } = slurm.readProbe([answer]);
    return { kind: "probe", means: `${present} ${version}` };
  }
  const find = cmd.match(/^squeue -h (?:-a -t all|--me) -n \w+ -o '([^']+)'$/);
  if (find !== null) {
    const findings = openProvider(
      { ...slurm, find: { ...slurm.find, read: (said) => readSqueueOfIds(said, find[1] ?? "", []) } },
      siteOf(slurm),
    ).readAdopt(answer);
    return { kind: "find", means: toldFindings(findings) };
  }
  const inside = capture.case === "injob-env" ? capture.files?.["env-batch.out"] : undefined;
  if (inside !== undefined) return { kind: "inside", means: toldAllocation(slurm, inside, {}) };
  const cancel = cmd.match(/^scancel(?: -[vQbf])*(?: -s \w+)?((?: \d[\w[\]-]*)+)$/);
  if (cancel !== null) return { kind: "order", means: orders("cancel", cancel[1] ?? "", answer) };
  const order = cmd.match(/^scontrol (hold|release) (\d+)$/);
  if (order !== null) return { kind: "order", means: orders(order[1] as "hold", order[2] ?? "", answer) };
  return undefined;

  function statusOf(list: string, read: (refs: readonly { id: string }[]) => Listing): Reading {
    const refs = list.split(",").map((id) => ({ id }));
    const query: Query = { ...slurm.observe, read: (_, asked) => read(asked) };
    const found = openProvider({ ...slurm, observe: query }, siteOf(slurm)).readObserve(refs, [answer]);
    return { kind: "status", means: refs.map(({ id }) => `${id} ${told(found.get(id))}`).join("; ") };
  }
}

function orders(name: "cancel" | "hold" | "release", list: string, answer: ReturnType<typeof answerOf>): string {
  const refs = list
    .trim()
    .split(" ")
    .map((id) => ({ id }));
  return toldOrder(provider.readOrder(name, refs, [answer]));
}
