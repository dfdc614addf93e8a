/** What time does to the mailbox, by the clock of the relay. A part of `state.ts`; pure. */
import { unreachable } from "../assert.ts";
import { offerAgain_ms, tombstone_ms } from "../limits.ts";
import type { Delivering } from "./delivering.ts";
import type { Desk } from "./desk.ts";
import type { TaskRow } from "./mailbox.ts";
import type { Watching } from "./watching.ts";

/** Rows dealt with in one turn, so that a large clean-up does not hold up anybody. */
const rowsPerTick = 200;

export class Retaining {
  private readonly desk: Desk;
  private readonly delivering: Delivering;
  private readonly watching: Watching;

  constructor(desk: Desk, delivering: Delivering, watching: Watching) {
    this.desk = desk;
    this.delivering = delivering;
    this.watching = watching;
  }

  tick(): void {
    const { tasks, letters } = this.desk.mailbox.due(this.desk.at.now_ms, rowsPerTick);
    for (const row of tasks) this.pass(row);
    for (const seq of letters) this.desk.stage({ kind: "drop_letter", seq });
  }

  private pass(row: TaskRow): void {
    const { now_ms } = this.desk.at;
    const remembered_ms = Math.max(row.expires_ms, now_ms) + tombstone_ms;
    switch (row.state) {
      case "queued":
        // It is with the endpoint this very moment; whether it took it will be known soon.
        if (this.delivering.isFlying(row.endpoint_id, row.seq)) {
          this.desk.stage({ kind: "postpone", seq: row.seq, due_ms: now_ms + offerAgain_ms });
          return;
        }
        this.desk.stage({
          kind: "move_task",
          seq: row.seq,
          from: "queued",
          to: "expired",
          due_ms: now_ms + this.desk.limits.time_to_live_ms,
        });
        this.watching.tell(row, "expired", row.id, undefined);
        return;
      case "held": {
        // An endpoint that is silent for as long as a task may live is taken for gone.
        const silent_ms = row.expires_ms + this.desk.limits.time_to_live_ms;
        if (!isComplete(row) && now_ms < silent_ms) {
          this.desk.stage({ kind: "postpone", seq: row.seq, due_ms: silent_ms });
          return;
        }
        this.desk.stage({ kind: "move_task", seq: row.seq, from: "held", to: "gone", due_ms: remembered_ms });
        return;
      }
      case "expired":
        this.desk.stage({ kind: "move_task", seq: row.seq, from: "expired", to: "gone", due_ms: remembered_ms });
        return;
      case "gone":
        this.desk.stage({ kind: "forget_task", seq: row.seq });
        return;
      default:
        unreachable(row.state);
    }
  }
}

function isComplete(row: TaskRow): boolean {
  return row.count > 0 && row.done >= row.count;
}
