/**
 * How every living part of gc acts: events gather in a queue; one *turn* decides them all, makes what they changed
 * durable in one go, and only then lets the effects out. Nothing is acknowledged before what the acknowledgement rests
 * on is on stable storage, and a busy part pays one fsync for a whole turn (group commit).
 *
 * A part is pure: `decide` takes state and event and says which records to keep and which effects to perform.
 */

/** What one event led to: facts to keep, and things to do once they are kept. */
export interface Decision<Record, Effect> {
  readonly records: Record[];
  readonly effects: Effect[];
}

/** A part as the turn sees it. */
export interface Part<Event, Record, Effect> {
  /** Decides one event; appends to `out`. Never acts, never reads a clock. */
  decide(event: Event, out: Decision<Record, Effect>): void;
  /** Makes records durable; returns once a power cut could not undo them. */
  keep(records: readonly Record[]): void;
  /** Performs effects in order. Must not throw. */
  perform(effects: readonly Effect[]): void;
}

/** How events of one part become turns. */
export interface Turns<Event> {
  /** Queues an event for the next turn. */
  push(event: Event): void;
  /** Runs a turn now, if anything is queued. For shutdown and tests. */
  flush(): void;
}

/** What a daemon gives as `soon`: the next turn runs when the events that are here already have been queued. */
export function soon(turn: () => void): void {
  setImmediate(turn);
}

/** Events decided in one turn at most, so that a flood cannot delay acknowledgements for ever. */
const eventsPerTurnMax = 4096;

/**
 * Runs `part` in turns. `soon` schedules the next turn: the function above in daemons (bun.md §3: faster than any
 * timer), a virtual scheduler in simulations. `fatal` is told of an error in `decide` or `keep`, after which no further
 * turn runs: a part that cannot keep its word must stop talking.
 */
export function runInTurns<Event, Record, Effect>(
  part: Part<Event, Record, Effect>,
  soon: (turn: () => void) => void,
  fatal: (error: unknown) => void,
): Turns<Event> {
  let queue: Event[] = [];
  let scheduled = false;
  let stopped = false;

  const turn = (): void => {
    scheduled = false;
    if (stopped || queue.length === 0) return;
    const events = queue.length > eventsPerTurnMax ? queue.slice(0, eventsPerTurnMax) : queue;
    queue = queue.length > eventsPerTurnMax ? queue.slice(eventsPerTurnMax) : [];
    const out: Decision<Record, Effect> = { records: [], effects: [] };
    try {
      for (const event of events) part.decide(event, out);
      if (out.records.length > 0) part.keep(out.records);
    } catch (error) {
      stopped = true;
      fatal(error);
      return;
    }
    part.perform(out.effects);
    if (queue.length > 0) schedule();
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    soon(turn);
  };

  return {
    push(event) {
      queue.push(event);
      schedule();
    },
    flush() {
      while (queue.length > 0 && !stopped) turn();
    },
  };
}
