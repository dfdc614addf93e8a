/**
 * Results on their way to an SDK: one watch per task group, of which only the tasks that the SDK waits for are passed
 * on, each once. The relay sends no faster than the SDK reads, and gets a receipt for what was written out.
 */
import type { Result } from "../../core/schema/result.ts";
import type { Deliveries, Delivery } from "../../core/submit/deliveries.ts";
import { type EnvelopeId, envelopeOf, type GroupId, type TaskId, taskId } from "../../core/task/id.ts";
import { isWhole } from "../result.ts";
import type { TaskDesk } from "../task_desk.ts";
import type { LineOut } from "./lines.ts";

/** How long an ending bridge waits for the relay to take receipts; without them results are only kept longer. */
const receiptsWithin_ms = 2000;

export class Following {
  private readonly desk: TaskDesk;
  private readonly out: LineOut;
  private readonly wanted = new Map<GroupId, Set<TaskId>>();
  private readonly watches = new Map<GroupId, Deliveries>();
  private readonly posting = new Set<Promise<void>>();
  private failed: (error: unknown) => void = () => {};
  /** Is called before a result of this envelope is told, so that the SDK knows its tasks by then. */
  beforeResult = (_id: EnvelopeId): void => {};
  /** Rejects when following cannot go on. */
  readonly broken = new Promise<never>((_, reject) => {
    this.failed = reject;
  });

  constructor(desk: TaskDesk, out: LineOut) {
    this.desk = desk;
    this.out = out;
    this.broken.catch(() => {});
  }

  /** Passes on the results of these tasks when they come. */
  want(group: GroupId, ids: readonly TaskId[]): void {
    const wanted = this.wanted.get(group) ?? new Set();
    this.wanted.set(group, wanted);
    for (const id of ids) wanted.add(id);
    if (!this.watches.has(group)) this.open(group);
  }

  /** The same for tasks that may have ended before: the group is looked through from its beginning. */
  wantAgain(group: GroupId, ids: readonly TaskId[]): void {
    this.watches.get(group)?.stop();
    this.watches.delete(group);
    this.want(group, ids);
  }

  /** These tasks will have no result. */
  fail(ids: readonly TaskId[], error: { kind?: string; code: string; message: string }): void {
    const { kind = "unavailable", code, message } = error;
    for (const id of ids) this.out.send({ t: "failed", id, error: { kind, code, message } });
    for (const wanted of this.wanted.values()) for (const id of ids) wanted.delete(id);
  }

  /** Ends all watches, and sees receipts off. */
  async end(): Promise<void> {
    for (const deliveries of this.watches.values()) deliveries.stop();
    if (this.posting.size === 0) return;
    let stop = (): void => {};
    const limit = new Promise<void>((resolve) => {
      stop = this.desk.cli.host.clock.after(receiptsWithin_ms, resolve);
    });
    await Promise.race([Promise.all(this.posting), limit]);
    stop();
  }

  private open(group: GroupId): void {
    const deliveries = this.desk.client.watch({ group });
    this.watches.set(group, deliveries);
    this.read(group, deliveries).catch((error) => this.failed(error));
  }

  private async read(group: GroupId, deliveries: Deliveries): Promise<void> {
    for await (const delivery of deliveries) {
      // A watch that was replaced meanwhile has nothing to say: its successor brings everything again.
      if (this.watches.get(group) !== deliveries) return;
      const receipts = this.pass(group, delivery);
      await this.out.drained();
      if (this.out.closed) return;
      for (const post of receipts) this.post(post);
    }
  }

  /** Tells the SDK what is news to it; returns the receipts that are due once that is written. */
  private pass(group: GroupId, { batches, expired }: Delivery): (() => Promise<void>)[] {
    const wanted = this.wanted.get(group) ?? new Set();
    const receipts: (() => Promise<void>)[] = [];
    for (const { id, from, indices, results = [] } of batches) {
      const whole: number[] = [];
      indices.forEach((index, place) => {
        const tid = taskId(id, index);
        const result: Result | undefined = results[place];
        if (result === undefined || !wanted.delete(tid)) return;
        this.beforeResult(id);
        this.out.send({ t: "result", id: tid, result });
        // What was passed on only in part stays at the endpoint, for `gc logs`.
        if (isWhole(result)) whole.push(index);
      });
      if (whole.length > 0) receipts.push(() => this.desk.client.receipt(id, from, whole));
    }
    for (const id of expired) {
      const message = "No endpoint took it before it expired";
      const ids = [...wanted].filter((tid) => envelopeOf(tid) === id);
      this.fail(ids, { kind: "unavailable", code: "task.expired", message });
    }
    return receipts;
  }

  private post(receipt: () => Promise<void>): void {
    const posting = receipt()
      .catch(() => {}) // The result is only kept longer.
      .finally(() => this.posting.delete(posting));
    this.posting.add(posting);
  }
}
