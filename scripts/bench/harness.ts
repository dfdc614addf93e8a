/**
 * The rules that make a ratio trustworthy (performance.md §7): all sides of a bench take turns in one run, A B … then
 * … B A; a calibrator looks at the machine before each round; rounds in which the machine was more than a quarter off
 * its median are thrown away; with fewer than five left the run is inconclusive, which is not red. A gate looks at the
 * median of per-round ratios and says how sure it is. One JSON line per gate on stdout; for people, the same on stderr.
 */
import { appendFileSync } from "node:fs";
import { type Calibration, type Calibrator, calibrate } from "./calibrator.ts";
import { machineFacts } from "./machine.ts";
import { median, type Summary, short, summarise } from "./statistics.ts";

/** What one side did in one round. */
export interface Reading {
  /** Tasks, commands or acknowledgements. */
  readonly n: number;
  readonly wall_ms: number;
  /** CPU time of all processes of the side in this round. */
  readonly cpu_us?: number;
  /** Other figures, units in their names. */
  readonly more?: { readonly [name: string]: number };
}

/** One contestant. */
export interface Side {
  readonly name: string;
  /** What it promises: which acknowledgement waits for which disk. */
  readonly mode: string;
  /** How its CPU time is counted. */
  readonly cpu_by?: string;
  round(): Promise<Reading>;
}

/** The readings of one round by name of side. */
export type Round = ReadonlyMap<string, Reading>;

/** What must hold for the median over rounds of `value`. */
export interface Gate {
  readonly what: string;
  readonly value: (of: (side: string) => Reading) => number;
  readonly limit: number;
  readonly better: "at least" | "at most";
  /** CPU time hardly depends on who else is running, so all rounds count; for everything else only the steady ones. */
  readonly of_cpu?: boolean;
  /** Where to go once the gate holds; shown, never judged. */
  readonly goal?: number;
  readonly peer?: string;
}

/** A bench that has been set up. */
export interface Opened {
  readonly sides: readonly Side[];
  readonly gates: readonly Gate[];
  close(): Promise<void>;
}

/** What a person may say about a run. */
export interface RunOptions {
  /** Rounds; each bench has a number of its own. */
  readonly rounds?: number;
  /** Size of a round relative to the normal one; below 1 for a quick look whose verdict counts for nothing. */
  readonly scale: number;
  /** Leave gc out and measure only what it is compared with. */
  readonly peers_only: boolean;
  /** File that results are appended to. */
  readonly record?: string;
}

export interface Bench {
  readonly id: string;
  readonly title: string;
  readonly rounds: number;
  /** Which looks at the machine decide whether a round counts. */
  readonly calibrators: readonly Calibrator[];
  /** Sets up, in a temporary `folder`. @throws Skip when the machine lacks something. */
  open(folder: string, options: RunOptions): Promise<Opened>;
}

/** Why a bench, or a side of it, cannot run here. */
export class Skip extends Error {}

export type Verdict = "pass" | "FAIL" | "inconclusive";

/** One line of history. */
export interface GateResult {
  readonly bench: string;
  readonly gate: string;
  readonly verdict: Verdict;
  /** Whether the whole interval is on the same side of the limit as the median. */
  readonly sure: boolean;
  readonly limit: number;
  readonly better: Gate["better"];
  readonly goal?: number;
  readonly peer?: string;
  readonly ratio: Summary;
}

/** Fewest rounds that may be judged. */
const roundsMin = 5;
/** How far the machine may be from its median: relative. */
const drift = 0.25;

/** Runs a bench and prints its results. Returns the exit code: 0 all gates hold, 1 one does not, 75 inconclusive. */
export async function runBench(bench: Bench, folder: string, options: RunOptions): Promise<number> {
  const say = (line: string): void => console.error(line);
  say(`${bench.id}  ${bench.title}`);
  const opened = await bench.open(folder, options);
  try {
    for (const side of opened.sides) say(`  ${side.name}: ${side.mode}${side.cpu_by ? `; CPU by ${side.cpu_by}` : ""}`);
    const { rounds, looks } = await playRounds(bench, opened, folder, options, say);
    const kept = steadyRounds(looks, bench.calibrators);
    if (kept.length < rounds.length)
      say(`  ${rounds.length - kept.length} rounds thrown away: the machine was another one`);
    const good = kept.map((at) => rounds[at]).filter((round) => round !== undefined);
    const machine = machineFacts(folder);
    const sides = sideTable(opened.sides, good);
    for (const line of sideLines(sides)) say(`  ${line}`);
    const results = opened.gates.map((gate) => judge(bench.id, gate, gate.of_cpu ? rounds : good, rounds.length));
    for (const result of results) {
      say(`  ${gateLine(result)}`);
      const calib = median(looks.map((look) => look.spawn));
      const line = JSON.stringify({ ...result, rounds: rounds.length, scale: options.scale, sides, calib, machine });
      console.log(line);
      if (options.record !== undefined) appendFileSync(options.record, `${line}\n`);
    }
    return exitCodeOf(results);
  } finally {
    await opened.close();
  }
}

type Say = (line: string) => void;

async function playRounds(bench: Bench, opened: Opened, folder: string, options: RunOptions, say: Say) {
  const rounds: Round[] = [];
  const looks: Calibration[] = [];
  const count = options.rounds ?? bench.rounds;
  // Rounds that will be thrown away are played again, up to half as many more.
  const missing = (): boolean => steadyRounds(looks, bench.calibrators).length < count;
  for (let at = 0; at < count || (missing() && at < count * 1.5); at++) {
    looks.push(await calibrate(folder));
    const order = at % 2 === 0 ? opened.sides : [...opened.sides].reverse();
    const readings = new Map<string, Reading>();
    for (const side of order) readings.set(side.name, await side.round());
    rounds.push(readings);
    const texts = opened.sides.map(({ name }) => readingText(name, readings.get(name)));
    say(`  round ${at + 1}  ${texts.join("   ")}`);
  }
  return { rounds, looks };
}

/** The rounds before which every look that matters was within `drift` of its median. */
export function steadyRounds(looks: readonly Calibration[], which: readonly Calibrator[]): number[] {
  const usual = new Map(which.map((name) => [name, median(looks.map((look) => look[name]))]));
  return looks.flatMap((look, at) => {
    const steady = which.every((name) => Math.abs(look[name] / (usual.get(name) ?? 1) - 1) <= drift);
    return steady ? [at] : [];
  });
}

/** What a gate says about these rounds; `played` is how many there were before some were thrown away. */
export function judge(bench: string, gate: Gate, rounds: readonly Round[], played: number): GateResult {
  const values = rounds.map((round) =>
    gate.value((side) => {
      const reading = round.get(side);
      if (reading === undefined) throw new Error(`Bench ${bench} has no side "${side}"`);
      return reading;
    }),
  );
  const ratio = summarise(values);
  const holds = (value: number): boolean => (gate.better === "at least" ? value >= gate.limit : value <= gate.limit);
  const few = rounds.length < Math.min(roundsMin, played);
  const verdict = few ? "inconclusive" : holds(ratio.median) ? "pass" : "FAIL";
  const [low, high] = ratio.interval;
  return {
    bench,
    gate: gate.what,
    verdict,
    sure: !few && holds(low) === holds(ratio.median) && holds(high) === holds(ratio.median),
    limit: gate.limit,
    better: gate.better,
    ...(gate.goal === undefined ? {} : { goal: gate.goal }),
    ...(gate.peer === undefined ? {} : { peer: gate.peer }),
    ratio,
  };
}

export function exitCodeOf(results: readonly GateResult[]): number {
  if (results.some(({ verdict }) => verdict === "FAIL")) return 1;
  return results.some(({ verdict }) => verdict === "inconclusive") ? 75 : 0;
}

/** Medians of everything a side measured. */
function sideTable(sides: readonly Side[], rounds: readonly Round[]) {
  return sides.map(({ name, mode, cpu_by }) => {
    const readings = rounds.map((round) => round.get(name)).filter((reading) => reading !== undefined);
    const over = (value: (reading: Reading) => number): number => median(readings.map(value));
    const names = Object.keys(readings[0]?.more ?? {});
    return {
      side: name,
      mode,
      ...(cpu_by === undefined ? {} : { cpu_by }),
      n: readings[0]?.n ?? 0,
      per_s: over(perSecond),
      cpu_us: over(cpuEach),
      more: Object.fromEntries(names.map((key) => [key, over((reading) => reading.more?.[key] ?? Number.NaN)])),
    };
  });
}

function sideLines(sides: ReturnType<typeof sideTable>): string[] {
  return sides.map((side) => {
    const more = Object.entries(side.more).map(([key, value]) => `${key} ${short(value)}`);
    const rates = Number.isNaN(side.cpu_us) && more.length > 0 ? [] : [`${short(side.per_s)}/s`];
    if (!Number.isNaN(side.cpu_us)) rates.push(`${short(side.cpu_us)} CPU-µs each`);
    return `${side.side.padEnd(22)} ${[...rates, ...more].join(", ")}`;
  });
}

/** How many of whatever a side counts it did in a second. */
export function perSecond(reading: Reading): number {
  return (reading.n * 1000) / reading.wall_ms;
}

/** CPU microseconds for one of them. */
export function cpuEach(reading: Reading): number {
  return (reading.cpu_us ?? Number.NaN) / reading.n;
}

function readingText(name: string, reading: Reading | undefined): string {
  if (reading === undefined) return name;
  if (reading.cpu_us !== undefined) return `${name} ${short(perSecond(reading))}/s ${short(cpuEach(reading))} us`;
  const more = Object.entries(reading.more ?? {}).map(([key, value]) => `${key} ${short(value)}`);
  return `${name} ${more.length > 0 ? more.join(" ") : `${short(perSecond(reading))}/s`}`;
}

function gateLine({ gate, verdict, sure, limit, better, goal, ratio }: GateResult): string {
  const [low, high] = ratio.interval;
  const where = `${short(ratio.median)} (${short(low)}–${short(high)}, ${Math.round(ratio.coverage * 100)} %)`;
  const aim = goal === undefined ? "" : `, goal ${short(goal)}`;
  return `${verdict}${sure ? "" : " (unsure)"}  ${gate}: ${where}, gate ${better} ${short(limit)}${aim}`;
}
