/**
 * How many attempts of each task envelope this worker has that are not over. Whoever asked for a batch is not done
 * before its last task, so results of it may be gathered for longer while more of it is here.
 */
import { type EnvelopeId, envelopeOf, type TaskId } from "../task/id.ts";

export class Batches {
  readonly #open = new Map<EnvelopeId, number>();

  /** An attempt has come. */
  enter(tid: string): void {
    const batch = envelopeOf(tid as TaskId);
    this.#open.set(batch, (this.#open.get(batch) ?? 0) + 1);
  }

  /** An attempt is over. Returns whether more of its batch is here. */
  leave(tid: string): boolean {
    const batch = envelopeOf(tid as TaskId);
    const left = (this.#open.get(batch) ?? 1) - 1;
    if (left > 0) this.#open.set(batch, left);
    else this.#open.delete(batch);
    return left > 0;
  }
}
