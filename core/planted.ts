/**
 * Mistakes and sudden deaths on purpose, for test builds only. The simulation must find every planted bug, and real
 * processes die at named crash points as by kill -9. A release build holds none of this, not even the names:
 * `scripts/strip_planted.ts` takes the calls out before anything is compiled, so a call must have one plain string as
 * its argument. Sources that run without a build count as a test build.
 *
 * A process reads its switches once, from `GC_PLANTED` (names of bugs, comma separated) and `GC_CRASH_POINT` (names
 * likewise; `name:3` dies at the third passage). With a folder in `GC_CRASH_MARKS` all processes together die once at
 * each point, and a file of its name with the pid is left there. The simulation, which is many processes in one, throws
 * the switches by `plant` and `atCrashPoints`.
 */
import { writeFileSync } from "node:fs";

/** The bugs that the simulation must find (reliability-security.md §4.3), by the room they are planted in. */
export type PlantedBug =
  | "noIdem" // relay: a resent envelope is stored as a new one
  | "relayAckBeforeFsync" // relay: SUBMIT_OK before the envelope is on stable storage
  | "cumulativeAck" // relay: an acknowledgement of mail n removes everything up to n
  | "relayResultAckBeforeFsync" // relay: STORED before the result is on stable storage
  | "deleteOnSend" // relay: mail is forgotten when it is sent
  | "epAckBeforeStore" // endpoint: ACCEPT before the journal has the task
  | "resultMemOnly" // endpoint: RESULT_ACK although the result is only in memory
  | "noAdopt" // endpoint: a restart does not adopt what workers still run
  | "leaseNoFence" // endpoint: a result of a revoked attempt counts
  | "attemptNotPersisted" // endpoint: RUN before the attempt is in the journal
  | "resultOverwrite" // endpoint: a second result replaces the first
  | "lateOverwrite" // endpoint: a result that comes after the end replaces it
  | "staleAttemptDropped" // endpoint: a good result of an older attempt is thrown away
  | "discardOnSend" // worker: a result is forgotten when it is sent
  | "workerNoDedupe" // worker: the same attempt sent twice runs twice
  | "workerFireOnce"; // worker: an unacknowledged result is not sent again

/** What no simulation can see, and the test with strace must: the relay does not wait for its disk. */
export type PlantedLaziness = "synchronousOff";

declare const GC_TEST_BUILD: boolean | undefined;

/** Whether bugs can be planted and crash points are live in this program. */
export const isTestBuild: boolean = typeof GC_TEST_BUILD === "undefined" || GC_TEST_BUILD;

interface Switches {
  bugs: Set<string>;
  visit: (crash_point: string) => void;
}

const switches: Switches | undefined = isTestBuild ? switchesOf(process.env) : undefined;

/** Whether this bug is switched on. Always false in a release build. */
export function planted(name: PlantedBug | PlantedLaziness): boolean {
  return switches?.bugs.has(name) === true;
}

/** Dies here when told to. `name` is `room.before_step` or `room.after_step`. */
export function crashPoint(name: string): void {
  switches?.visit(name);
}

/** Switches these bugs on, and all others off, until the returned function is called. */
export function plant(...names: PlantedBug[]): () => void {
  if (switches === undefined) return () => {};
  const before = switches.bugs;
  switches.bugs = new Set(names);
  return () => {
    switches.bugs = before;
  };
}

/** Calls `visit` at every crash point, instead of dying, until the returned function is called. */
export function atCrashPoints(visit: (crash_point: string) => void): () => void {
  if (switches === undefined) return () => {};
  const before = switches.visit;
  switches.visit = visit;
  return () => {
    switches.visit = before;
  };
}

function switchesOf(env: { [name: string]: string | undefined }): Switches {
  const left = new Map<string, number>();
  for (const point of listed(env.GC_CRASH_POINT)) {
    const [name = "", passage = "1"] = point.split(":");
    left.set(name, Number(passage));
  }
  const marks = env.GC_CRASH_MARKS;
  return {
    bugs: new Set(listed(env.GC_PLANTED)),
    visit: (name) => {
      const passages = left.get(name);
      if (passages === undefined) return;
      left.set(name, passages - 1);
      if (passages === 1 && (marks === undefined || isFirst(`${marks}/${name}`))) process.kill(process.pid, "SIGKILL");
    },
  };
}

function listed(text = ""): string[] {
  return text.split(",").filter((name) => name !== "");
}

/** Leaves a mark of us; false when another process was here before. */
function isFirst(mark: string): boolean {
  try {
    writeFileSync(mark, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}
