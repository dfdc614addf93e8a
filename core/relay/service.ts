/**
 * A relay's decisions in the real world: links become events, turns become transactions, and one timer waits for the
 * next thing that is due. When a turn fails, nothing of it was acknowledged: the links are closed, what was staged is
 * forgotten, and a fresh state begins from the mailbox; everybody connects again and sends again.
 */
import { type GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { runInTurns, soon, type Turns } from "../host/turn.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { type Ballast, freeBytes, saysFull } from "./disk.ts";
import type { Moment, RelayEffect, RelayEvent } from "./event.ts";
import type { RelayLimits } from "./limits.ts";
import type { Mailbox } from "./mailbox.ts";
import { performEffects } from "./performing.ts";
import { RelayState } from "./state.ts";

/** The disk is looked at when something comes in, at most so often. */
const spaceEvery_ms = 1000;
/** How long nothing new is taken after a write failed for lack of space. */
const fullFor_ms = 60_000;
/** Failed turns within a minute after which the relay gives up: it would only fail again. */
const failuresMax = 20;
/** While something happens, what is due is looked for so often. */
const tickWhenBusy_ms = 1000;
/** The longest wait of one timer. */
const sleepMax_ms = 12 * 3600 * 1000;

type WithoutMoment<E> = E extends unknown ? Omit<E, "at"> : never;

export interface ServiceParts {
  readonly mailbox: Mailbox;
  readonly limits: RelayLimits;
  readonly ballast: Ballast;
  readonly dir: string;
  readonly host: Host;
  /** Told when the relay cannot go on. */
  gaveUp(error: unknown): void;
}

export class Service implements LinkEvents {
  private readonly parts: ServiceParts;
  private readonly links = new Set<Link>();
  private current: RelayState;
  private turns: Turns<RelayEvent>;
  private failures: number[] = [];
  private spaceSeen_ms = Number.NEGATIVE_INFINITY;
  /** A write failed for lack of space, whatever the file system says: a quota perhaps. Until then nothing new is
   * taken. */
  private fullUntil_ms = Number.NEGATIVE_INFINITY;
  private armed: { mono_ms: number; cancel: () => void } | undefined;
  private stopped = false;

  constructor(parts: ServiceParts) {
    this.parts = parts;
    [this.current, this.turns] = this.begin();
    this.look(true);
    this.arm();
  }

  /** What is known now, for questions over HTTP. */
  get state(): RelayState {
    return this.current;
  }

  get connected(): number {
    return this.links.size;
  }

  up(link: Link): void {
    this.links.add(link);
    this.push({ kind: "up", link });
  }

  messages(link: Link, messages: Parameters<LinkEvents["messages"]>[1]): void {
    this.look(false);
    this.push({ kind: "messages", link, messages });
  }

  down(link: Link | undefined, reason: GcError): void {
    if (link === undefined) {
      if (reason.kind === "permission")
        this.parts.host.log.warn("relay.refused", { code: reason.code, why: reason.message });
      return;
    }
    this.links.delete(link);
    this.push({ kind: "down", link });
  }

  push(event: WithoutMoment<RelayEvent>): void {
    if (!this.stopped) this.turns.push({ ...event, at: this.moment() } as RelayEvent);
  }

  moment(): Moment {
    const { clock } = this.parts.host;
    return { now_ms: clock.now(), mono_ms: clock.monotonic() };
  }

  /** Finishes what was taken in, and says no more. */
  stop(): void {
    this.turns.flush();
    this.stopped = true;
    this.armed?.cancel();
  }

  private begin(): [RelayState, Turns<RelayEvent>] {
    const { mailbox, limits, host } = this.parts;
    const state = new RelayState(mailbox, limits);
    const part = {
      decide: state.decide.bind(state),
      keep: state.keep.bind(state),
      perform: (effects: readonly RelayEffect[]) => {
        performEffects(effects, (event, fields) => host.log.warn(event, fields));
        this.armSoon();
      },
    };
    return [state, runInTurns(part, soon, (error) => this.failed(error))];
  }

  /** A turn failed. */
  private failed(error: unknown): void {
    const { mailbox, ballast, host } = this.parts;
    const full = saysFull(error);
    host.log.error("relay.turn_failed", {
      why: messageOf(error),
      cause: messageOf((error as Error).cause ?? ""),
      full,
    });
    const now = host.clock.monotonic();
    this.failures = [...this.failures.filter((at) => now - at < 60_000), now];
    try {
      mailbox.rollback();
      if (full) ballast.drop();
    } catch (worse) {
      return this.giveUp(worse);
    }
    if (this.failures.length > failuresMax) return this.giveUp(error);
    const { links } = this;
    [this.current, this.turns] = this.begin();
    // Their events find no session any more and are dropped.
    for (const link of links) link.close("the relay could not store what was under way; connect again");
    if (full) this.fullUntil_ms = now + fullFor_ms;
    this.look(true);
    this.arm();
  }

  private giveUp(error: unknown): void {
    this.stopped = true;
    this.armed?.cancel();
    for (const link of this.links) link.close("the relay cannot go on");
    this.parts.gaveUp(error);
  }

  /** Looks how much room the disk has, unless that was done a moment ago. */
  private look(now: boolean): void {
    const { host, dir, ballast, limits } = this.parts;
    const mono_ms = host.clock.monotonic();
    if (!now && mono_ms - this.spaceSeen_ms < spaceEvery_ms) return;
    this.spaceSeen_ms = mono_ms;
    const free_bytes = mono_ms < this.fullUntil_ms ? 0 : freeBytes(dir);
    if (free_bytes > 2 * limits.free_bytes_min) ballast.lay();
    this.push({ kind: "space", free_bytes });
  }

  /** After a turn: whatever became due by it is found within a second, without asking the mailbox every time. */
  private armSoon(): void {
    if (this.stopped) return;
    if (this.current.desk.stalled.size > 0) return this.arm();
    const near = this.moment().mono_ms + tickWhenBusy_ms;
    if (this.armed === undefined || this.armed.mono_ms > near) this.armAt(near, tickWhenBusy_ms);
  }

  /** Sees to it that a tick comes when one is due; one that comes early does no harm. */
  private arm(): void {
    if (this.stopped) return;
    const at = this.moment();
    const wait_ms = this.current.nextTick(at);
    if (wait_ms === undefined) return;
    const due = at.mono_ms + Math.min(wait_ms, sleepMax_ms);
    if (this.armed !== undefined && this.armed.mono_ms <= due + 1) return;
    this.armAt(due, Math.max(0, due - at.mono_ms));
  }

  private armAt(due: number, wait_ms: number): void {
    this.armed?.cancel();
    const fire = (): void => {
      this.armed = undefined;
      this.push({ kind: "tick" });
      this.turns.flush();
      this.arm();
    };
    this.armed = { mono_ms: due, cancel: this.parts.host.clock.after(wait_ms, fire) };
  }
}
