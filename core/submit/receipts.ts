/**
 * Receipts that wait for more of the same envelope. Each one that is posted costs its signature, a commit and a letter
 * at the relay, an fsync at the endpoint and a commit more for its acknowledgement, and none of them is urgent: until
 * then a result is only kept for longer. A part of `state.ts`; pure.
 */
import { Pace } from "../pace.ts";
import type { EnvelopeId, PrincipalId } from "../task/id.ts";

/** A receipt as it is posted: for the tasks of all its tickets together. */
export interface Receipt {
  readonly id: EnvelopeId;
  readonly to: PrincipalId;
  readonly indices: number[];
  /** Who is to be told when the relay has it. */
  readonly tickets: number[];
}

/** How long a receipt waits for others of its envelope at most. */
const gatherReceipts_ms = 200;
/**
 * How long after a posting the next one may leave. One task after the other, each awaited, would otherwise pay for the
 * receipt of the last one on the way of the next; a command that ends with its task posts at once.
 */
const between_ms = 25;

export class Receipts {
  private readonly waiting = new Map<EnvelopeId, Omit<Receipt, "indices"> & { readonly indices: Set<number> }>();
  /** How many tasks of an envelope had a receipt, as long as some had none. */
  private readonly given = new Map<EnvelopeId, number>();
  /** When `take` is due; infinite while nothing waits. */
  due_ms = Number.POSITIVE_INFINITY;
  private readonly pace = new Pace(between_ms);

  /** Notes a receipt. `count`: tasks in the envelope, where known. Returns whether all of them have one now. */
  add(id: EnvelopeId, to: PrincipalId, indices: number[], ticket: number, count: number | undefined): boolean {
    const there = this.waiting.get(id) ?? { id, to, indices: new Set<number>(), tickets: [] };
    this.waiting.set(id, there);
    for (const index of indices) there.indices.add(index);
    there.tickets.push(ticket);
    if (count === undefined) return false;
    const given = (this.given.get(id) ?? 0) + indices.length;
    if (given < count) this.given.set(id, given);
    else this.given.delete(id);
    return given >= count;
  }

  /** Says that what waits may go on waiting; it is due once the oldest of it has waited for long enough. */
  wait(now_ms: number): void {
    if (this.due_ms === Number.POSITIVE_INFINITY) this.due_ms = now_ms + gatherReceipts_ms;
  }

  /** Whether what waits may be posted now; if not, it is due as soon as it may. */
  mayPost(now_ms: number): boolean {
    const next_ms = this.pace.next(now_ms);
    if (next_ms !== undefined) this.due_ms = Math.min(this.due_ms, next_ms);
    return next_ms === undefined;
  }

  /** Takes what waits: all of it, or that of one envelope. */
  *take(only: EnvelopeId | undefined, now_ms: number): Generator<Receipt> {
    for (const [id, receipt] of this.waiting) {
      if (only !== undefined && id !== only) continue;
      this.waiting.delete(id);
      this.pace.done(now_ms);
      yield { ...receipt, indices: [...receipt.indices] };
    }
    if (this.waiting.size === 0) this.due_ms = Number.POSITIVE_INFINITY;
  }
}
