/**
 * Questions to the relay that wait for an answer: sent at once when the link is up, again after every reconnection,
 * again when nothing came for a while, and later when the relay said "try again". A part of `state.ts`; pure.
 */
import { reconnectFirst_ms, reconnectMax_ms, resend_ms } from "../limits.ts";
import type { WireError } from "../schema/session_message.ts";
import type { EnvelopeId, PrincipalId } from "../task/id.ts";
import type { ClientEffect, PlainRequest, Watched } from "./event.ts";

export type Request =
  | { kind: "submit"; ids: EnvelopeId[]; size: number }
  | { kind: "watch"; watch: number; watched: Watched; after: () => number }
  | { kind: "unwatch"; watch: number }
  /** `tickets`: who is to be told when the relay has it. */
  | { kind: "receipt" | "cancel"; id: EnvelopeId; to: PrincipalId; indices: number[]; tickets: number[] }
  | { kind: "plain"; ticket: number; message: PlainRequest };

interface Open {
  readonly request: Request;
  tries: number;
  /** When it is sent again unless an answer comes first. */
  due_ms: number;
}

/** Errors after which the same question may get another answer. */
const passing = new Set(["temporary", "unavailable", "io", "internal"]);

/** Whether the relay may answer otherwise later. */
export function mayHeal(error: WireError): boolean {
  return error.retry_after_ms !== undefined || (error.kind !== undefined && passing.has(error.kind));
}

export class Requests {
  private readonly open = new Map<number, Open>();
  private next = 1;
  private up = false;

  /** Opens a request and sends it if the link is up. */
  start(request: Request, now_ms: number, effects: ClientEffect[]): number {
    const rid = this.next++;
    const open = { request, tries: 0, due_ms: 0 };
    this.open.set(rid, open);
    if (this.up) this.send(rid, open, now_ms, effects);
    return rid;
  }

  /** Opens a request that is first sent by a later `tick`. */
  startLater(request: Request, due_ms: number): void {
    this.open.set(this.next++, { request, tries: 0, due_ms });
  }

  /** The request that was answered, which is then closed; undefined when it was closed before. */
  finish(rid: number): Request | undefined {
    const open = this.open.get(rid);
    this.open.delete(rid);
    return open?.request;
  }

  get(rid: number): Request | undefined {
    return this.open.get(rid)?.request;
  }

  /** Keeps a request open that was granted but does not outlive the link, so that it is asked anew after the next. */
  settle(rid: number): void {
    const open = this.open.get(rid);
    if (open === undefined) return;
    open.due_ms = Number.POSITIVE_INFINITY;
    open.tries = 0;
  }

  /** Keeps a request open after an error that may heal: longer pauses each time, never shorter than the relay asks. */
  postpone(rid: number, error: WireError, now_ms: number): void {
    const open = this.open.get(rid);
    if (open === undefined) return;
    const pause = Math.min(reconnectMax_ms, reconnectFirst_ms * 2 ** Math.min(open.tries, 10));
    open.due_ms = now_ms + Math.max(pause, error.retry_after_ms ?? 0);
  }

  /** Closes every request that `which` is true for. */
  drop(which: (request: Request) => boolean): void {
    for (const [rid, open] of this.open) if (which(open.request)) this.open.delete(rid);
  }

  linkUp(now_ms: number, effects: ClientEffect[]): void {
    this.up = true;
    for (const [rid, open] of this.open) this.send(rid, open, now_ms, effects);
  }

  linkDown(): void {
    this.up = false;
  }

  tick(now_ms: number, effects: ClientEffect[]): void {
    if (!this.up) return;
    for (const [rid, open] of this.open) if (open.due_ms <= now_ms) this.send(rid, open, now_ms, effects);
  }

  /** When `tick` next has something to do; infinite when nothing waits. */
  nextDue(): number {
    let due = Number.POSITIVE_INFINITY;
    if (this.up) for (const open of this.open.values()) due = Math.min(due, open.due_ms);
    return due;
  }

  private send(rid: number, open: Open, now_ms: number, effects: ClientEffect[]): void {
    open.tries++;
    open.due_ms = now_ms + resend_ms;
    const request = open.request;
    switch (request.kind) {
      case "submit":
        effects.push({ kind: "submit", rid, ids: request.ids });
        return;
      case "watch": {
        const after = request.after();
        const message = { t: "watch", rid, watch: request.watch, ...request.watched } as const;
        effects.push({ kind: "send", message: after > 0 ? { ...message, after } : message });
        return;
      }
      case "unwatch":
        effects.push({ kind: "send", message: { t: "unwatch", rid, watch: request.watch } });
        return;
      case "receipt":
      case "cancel":
        effects.push({ kind: request.kind, rid, id: request.id, to: request.to, indices: request.indices });
        return;
      case "plain":
        effects.push({ kind: "send", message: { ...request.message, rid } });
        return;
    }
  }
}
