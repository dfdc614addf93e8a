/**
 * Which scheduler is at hand, by what its commands say of themselves and never by their names alone: qsub and qstat
 * belong to five of them (providers.md §24.1).
 */
import type { SchedulerName } from "../core/schema/batch_engine.ts";
import type { Answer, Capabilities } from "./outcome.ts";
import { schedulers } from "./schedulers.ts";

/** What to run to find out about one scheduler; commands that are not on the machine are left out. */
export interface Question {
  readonly scheduler: SchedulerName;
  readonly commands: readonly { readonly command: string; readonly args: readonly string[] }[];
}

export interface Detected {
  readonly scheduler: SchedulerName;
  readonly title: string;
  readonly capabilities: Capabilities;
}

/** The probes of every scheduler whose first command `has` knows. */
export function detectionQuestions(has: (command: string) => boolean): Question[] {
  return Object.values(schedulers)
    .filter(({ probes }) => has(probes[0]?.command ?? ""))
    .map(({ name, probes }) => ({ scheduler: name, commands: probes }));
}

/** The schedulers that answered as themselves; more than one where a site runs two, or is moving. */
export function readDetection(answers: ReadonlyMap<SchedulerName, readonly Answer[]>): Detected[] {
  return Object.values(schedulers).flatMap((profile) => {
    const capabilities = profile.readProbe(answers.get(profile.name) ?? []);
    return capabilities.present ? [{ scheduler: profile.name, title: profile.title, capabilities }] : [];
  });
}
