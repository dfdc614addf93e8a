/**
 * Which rank of a program failed first. Each rank that fails leaves a note; where notes do not arrive (a file system
 * that is late, a launcher that kills without mercy), the launcher's own words tell. Pure.
 */

/** A rank that failed. `at_ns`: its node's clock. */
export interface FailedRank {
  readonly rank: string;
  readonly node: string;
  readonly code: number;
  readonly at_ns: bigint;
}

/** How ranks end that were merely told to, because of another: KILL, TERM, INT. */
const told = new Set([137, 143, 130]);

/** `RANK NODE CODE NANOSECONDS`, as the rank script writes it. */
export function readNote(text: string): FailedRank | undefined {
  const [, rank = "", node = "", code = "", at = ""] = /^(\S+) (\S+) (\d+) (\d*)\S*\s*$/.exec(text) ?? [];
  return rank === "" ? undefined : { rank, node, code: Number(code), at_ns: BigInt(at || 0) };
}

/** The one that failed by itself, and first. */
export function firstOf(notes: readonly FailedRank[]): FailedRank | undefined {
  const own = notes.filter(({ code }) => !told.has(code));
  return (own.length > 0 ? own : notes).toSorted((a, b) => (a.at_ns < b.at_ns ? -1 : a.at_ns > b.at_ns ? 1 : 0))[0];
}

/** What srun, Open MPI's mpiexec or Hydra say of the rank that ended a program, in the end of its standard error. */
export function failedRankIn(text: string): FailedRank | undefined {
  const slurm = /^srun: error: (\S+): tasks? (\d+)[\d,-]*: (?:Exited with exit code (\d+)|.*?\(?signal (\d+)\)?)/m.exec(
    text,
  );
  if (slurm !== null) {
    const [, node = "", rank = "", code, signal] = slurm;
    return { rank, node, code: code === undefined ? 128 + Number(signal) : Number(code), at_ns: 0n };
  }
  const open = /Process name: \[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+)/.exec(text);
  if (open !== null) return { rank: open[1] ?? "", node: "", code: Number(open[2]), at_ns: 0n };
  const killed = /noticed that process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)/.exec(text);
  if (killed !== null) {
    return { rank: killed[1] ?? "", node: killed[2] ?? "", code: 128 + Number(killed[3]), at_ns: 0n };
  }
  const hydra = /BAD TERMINATION[\s\S]*?RUNNING AT (\S+)[\s\S]*?EXIT CODE: (\d+)/.exec(text);
  return hydra === null ? undefined : { rank: "", node: hydra[1] ?? "", code: Number(hydra[2]), at_ns: 0n };
}

/** The node that died under a program, in the words of srun or of Open MPI's mpiexec. */
export function lostNodeIn(text: string): string | undefined {
  const slurm = /^srun: error: Node failure on (\S+)/m.exec(text)?.[1];
  if (slurm !== undefined) return slurm;
  if (!/ORTE has lost communication with a remote daemon|PRTE has lost communication/.test(text)) return undefined;
  return /Remote daemon: \[\[\d+,\d+\],\d+\] on node (\S+)/.exec(text)?.[1] ?? "one of its nodes";
}

/** As a sentence for its user. */
export function describeFailedRank({ rank, node, code }: FailedRank, signalName: (number: number) => string): string {
  const who = /^\d+$/.test(rank) ? `Rank ${rank}` : "A rank";
  const where = node === "" ? "" : ` on ${node}`;
  const signal = code > 128 ? signalName(code - 128) : "";
  return `${who}${where} ${signal === "" ? `exited with ${code}` : `was ended by ${signal} (exit code ${code})`}`;
}
