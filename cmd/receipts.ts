/** Receipts for results that a command has shown. What was shown only in part stays at the endpoint, for `gc logs`. */
import type { EnvelopeId, PrincipalId } from "../core/task/id.ts";
import type { EndedTask } from "./collect.ts";
import type { TaskDesk } from "./task_desk.ts";

/** How long an exiting command waits for the relay to take receipts; without them results are only kept longer. */
const wait_ms = 2000;

export class Receipts {
  private readonly desk: TaskDesk;
  private readonly byEnvelope = new Map<EnvelopeId, { from: PrincipalId; indices: number[] }>();

  constructor(desk: TaskDesk) {
    this.desk = desk;
  }

  /** Notes a result that was written out. */
  add({ target, index, from, result }: EndedTask): void {
    if (result === undefined) return;
    const { stdout, stderr } = result;
    if (stdout.kept < stdout.total || stderr.kept < stderr.total) return;
    const noted = this.byEnvelope.get(target.id);
    if (noted === undefined) this.byEnvelope.set(target.id, { from, indices: [index] });
    else noted.indices.push(index);
  }

  /** Sends what was noted. */
  async send(): Promise<void> {
    const posts = [...this.byEnvelope].map(([id, { from, indices }]) => this.desk.client.receipt(id, from, indices));
    if (posts.length === 0) return;
    let stop = (): void => {};
    const limit = new Promise<void>((resolve) => {
      stop = this.desk.cli.host.clock.after(wait_ms, resolve);
    });
    await Promise.race([Promise.all(posts.map((post) => post.catch(() => {}))), limit]);
    stop();
  }
}
