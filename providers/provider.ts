/**
 * The ten operations of a provider, made from a profile the same way for every scheduler: probe, render, submit,
 * observe, resolve, cancel, hold, release, adopt, describeAllocation (providers.md §24). Each comes in two halves: what
 * to run, and what the answers mean. Reading never throws and never guesses: what is odd stays unknown or uncovered.
 */
import { GcError } from "../core/errors.ts";
import type { BlockRequest } from "./block_request.ts";
import {
  type Allocation,
  type Answer,
  type BlockFacts,
  type BlockRef,
  type BlockState,
  type Capabilities,
  type Command,
  done,
  type Findings,
  type OrderOutcome,
  type Sighting,
  type SubmitOutcome,
  unknownState,
} from "./outcome.ts";
import type { InsideView, Listing, Order, Profile, Query, Row } from "./profile.ts";
import { renderScripts, type ScriptFile } from "./script.ts";
import { readSubmission } from "./submission.ts";

/** Where the scheduler's commands are: name → absolute path. */
export interface Site {
  readonly commands: { readonly [name: string]: string };
  /** Another cluster than the one that the commands reach by themselves. */
  readonly cluster?: string;
}

export interface RenderedScript {
  /** The script that the scheduler gets. */
  readonly text: string;
  /** All files to write before `submit` runs, the script among them. */
  readonly files: readonly ScriptFile[];
  readonly submit: Command;
}

/** What is known of a block that ended besides the scheduler's word: files of the block directory. */
export interface Evidence {
  /** The content of `exit_code`. */
  readonly exit_code?: string;
  /** The scheduler's own log of the block. */
  readonly log?: string;
}

export type Sightings = ReadonlyMap<string, Sighting>;
export type OrderOutcomes = ReadonlyMap<string, OrderOutcome>;
export type OrderName = "cancel" | "force_cancel" | "hold" | "release";

export interface Provider {
  readonly profile: Profile;
  probe(): Command[];
  readProbe(answers: readonly Answer[]): Capabilities;
  /** @throws GcError config naming the value that cannot be said to the scheduler. */
  render(request: BlockRequest): RenderedScript;
  readSubmit(answer: Answer): SubmitOutcome;
  observe(refs: readonly BlockRef[]): Command[];
  readObserve(refs: readonly BlockRef[], answers: readonly Answer[]): Sightings;
  /** For blocks that `observe` found absent. Empty when the scheduler keeps no history. */
  resolve(refs: readonly BlockRef[]): Command[];
  readResolve(
    refs: readonly BlockRef[],
    answers: readonly Answer[],
    evidence?: ReadonlyMap<string, Evidence>,
  ): Sightings;
  /** Commands that give an order; undefined where the scheduler has no such order. */
  order(name: OrderName, refs: readonly BlockRef[]): Command[] | undefined;
  readOrder(name: OrderName, refs: readonly BlockRef[], answers: readonly Answer[]): OrderOutcomes;
  /** Lists all blocks of ours: after a restart, and after an ambiguous submission. */
  adopt(): Command;
  readAdopt(answer: Answer): Findings;
  allocationFiles(env: InsideView["env"]): readonly string[];
  describeAllocation(view: InsideView): Allocation | undefined;
}

/** The name of a block of ours. */
export const blockName = /^gc[a-z0-9]{12}$/;

export function openProvider(profile: Profile, site: Site): Provider {
  const { timeouts_s } = profile;
  const clusterArgs = site.cluster === undefined ? [] : (profile.clusterArgs?.(site.cluster) ?? []);
  const command = (name: string, args: readonly string[], timeout_s: number): Command => ({
    argv: [pathOf(profile, site, name), ...clusterArgs, ...args],
    env: { LC_ALL: "C", TZ: "UTC" },
    unset: profile.unset,
    timeout_s,
  });
  const ask = (query: Query, refs: readonly BlockRef[]) =>
    chunks(refs, query.ids_max).map((part) => command(query.command, query.args(part), timeouts_s.status));

  return {
    profile,
    probe: () => profile.probes.map(({ command: name, args }) => command(name, args, timeouts_s.status)),
    readProbe: profile.readProbe,
    render(request) {
      const { block, node } = renderScripts(profile, request);
      const { submit } = profile;
      const asked = command(submit.command, submit.args(block.path, request), timeouts_s.submit);
      return {
        text: block.text,
        files: [node, block],
        submit: {
          ...asked,
          ...(submit.exports_env ? { env: {} } : {}),
          ...(submit.by_stdin ? { stdin: block.text } : {}),
        },
      };
    },
    readSubmit: (answer) => readSubmission(profile, answer),
    observe: (refs) => ask(profile.observe, refs),
    readObserve: (refs, answers) => sightings(profile, profile.observe, refs, answers),
    resolve: (refs) => (profile.history === undefined ? [] : ask(profile.history, refs)),
    readResolve(refs, answers, evidence) {
      const known = profile.history === undefined ? undefined : sightings(profile, profile.history, refs, answers);
      return new Map(refs.map((ref) => [ref.id, verdict(profile, known?.get(ref.id), evidence?.get(ref.id))]));
    },
    order(name, refs) {
      const order = orderOf(profile, name);
      if (order === undefined) return undefined;
      return chunks(refs, order.ids_max).map((part) => command(order.command, order.args(part), timeouts_s.order));
    },
    readOrder: (name, refs, answers) => orderOutcomes(orderOf(profile, name), refs, answers),
    adopt: () => command(profile.find.command, profile.find.args, timeouts_s.status),
    readAdopt: (answer) => findings(profile.find.read(answer)),
    allocationFiles: profile.inside.files,
    describeAllocation: profile.inside.describe,
  };
}

function pathOf(profile: Profile, site: Site, name: string): string {
  const path = site.commands[name];
  if (path?.startsWith("/")) return path;
  throw new GcError(
    "missing",
    "scheduler.command_missing",
    `${profile.title} needs "${name}", which is not on this machine`,
    {
      hint: "gc doctor",
    },
  );
}

function orderOf(profile: Profile, name: OrderName): Order | undefined {
  switch (name) {
    case "cancel":
      return profile.cancel.term;
    case "force_cancel":
      return profile.cancel.force;
    case "hold":
      return profile.hold;
    case "release":
      return profile.release;
  }
}

/** Blocks in parts that one command can ask about. */
function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}

function sightings(profile: Profile, query: Query, refs: readonly BlockRef[], answers: readonly Answer[]): Sightings {
  const found = new Map<string, Sighting>();
  for (const [i, part] of chunks(refs, query.ids_max).entries()) {
    const answer = answers[i];
    const listing = answer === undefined ? undefined : readQuietly(query, answer, part);
    for (const ref of part) {
      const why = answer === undefined ? "the command did not run" : "the answer could not be read";
      found.set(ref.id, listing === undefined ? { seen: "uncovered", why } : sightingOf(profile, listing, ref));
    }
  }
  return found;
}

/** A reader that trips over an answer has learnt nothing from it. */
function readQuietly(query: Query, answer: Answer, refs: readonly BlockRef[]): Listing | undefined {
  try {
    return query.read(answer, refs);
  } catch {
    return undefined;
  }
}

function sightingOf(profile: Profile, listing: Listing, ref: BlockRef): Sighting {
  const key = profile.keyOf(ref.id);
  const rows = listing.rows.filter((row) => profile.keyOf(row.id) === key);
  const [first] = rows;
  if (first === undefined) {
    if (listing.isAbsent(ref)) return { seen: "absent" };
    return { seen: "uncovered", why: listing.why ?? "the answer does not mention it" };
  }
  const stranger = rows
    .map(({ facts }) => facts.name)
    .find((name) => name !== undefined && name !== (ref.name ?? name));
  if (stranger !== undefined) return { seen: "uncovered", why: `${ref.id} is "${stranger}", not "${ref.name}"` };
  const agree = rows.every(({ facts: { state } }) => sameState(state, first.facts.state));
  const whole = rows.every((row) => !speaksOfAnother(row, ref));
  // Several rows are the same block after a change, the latest last.
  if (agree && whole) return { seen: "seen", ...(rows.at(-1) ?? first).facts };
  return { seen: "seen", state: unknownState, raw: rows.map(({ facts }) => facts.raw).join(" ") };
}

function sameState(a: BlockState, b: BlockState): boolean {
  if (a.phase === "done" && b.phase === "done") return a.outcome === b.outcome;
  return a.phase === b.phase;
}

function speaksOfAnother(row: Row, ref: BlockRef): boolean {
  if (ref.name === undefined) return false;
  return (row.text.match(/\bgc[a-z0-9]{12}\b/g) ?? []).some((name) => name !== ref.name);
}

/** The scheduler's verdict; where it has none, what the block left behind. */
function verdict(profile: Profile, known: Sighting | undefined, evidence: Evidence | undefined): Sighting {
  const decided = known?.seen === "seen" && !(known.state.phase === "done" && known.state.outcome === "ended");
  if (known !== undefined && decided) return known;
  const logged = evidence?.log === undefined ? undefined : profile.readLog?.(evidence.log);
  if (logged !== undefined) return { seen: "seen", ...logged };
  const left = leftBehind(evidence?.exit_code);
  if (left !== undefined) return { seen: "seen", ...left };
  return known ?? { seen: "uncovered", why: `${profile.title} keeps no history, and the block left no exit code` };
}

function leftBehind(text: string | undefined): BlockFacts | undefined {
  const digits = text?.match(/^(\d{1,3})\n$/)?.[1];
  if (digits === undefined) return undefined;
  const exit_code = Number(digits);
  return { state: done(exit_code === 0 ? "ok" : "failed"), raw: `exit code ${exit_code}`, exit_code };
}

function orderOutcomes(order: Order | undefined, refs: readonly BlockRef[], answers: readonly Answer[]): OrderOutcomes {
  const outcomes = new Map<string, OrderOutcome>();
  if (order === undefined) return outcomes;
  for (const [i, part] of chunks(refs, order.ids_max).entries()) {
    const answer = answers[i];
    for (const ref of part) {
      const ended = answer?.code !== undefined;
      outcomes.set(ref.id, ended ? order.read(answer, ref) : { is: "unsure", text: "the command did not end" });
    }
  }
  return outcomes;
}

function findings(listing: Listing): Findings {
  const blocks = listing.rows.flatMap(({ id, facts: { name, state, owner } }) => {
    if (name === undefined || !blockName.test(name)) return [];
    return [{ id, name, state, ...(owner === undefined ? {} : { owner }) }];
  });
  const covered = listing.why === undefined;
  return { covered, blocks, ...(listing.why === undefined ? {} : { why: listing.why }) };
}
