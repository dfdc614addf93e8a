/** Sends what waits in the outbox, and files away what endpoints have signed for meanwhile. */
import { allPassed } from "../core/submit/state.ts";
import type { EnvelopeId } from "../core/task/id.ts";
import type { Cli } from "./cli.ts";
import { TaskDesk } from "./task_desk.ts";

/** How long to wait for the relay to confirm everything, and for accepts that are there already. */
const patience_ms = 30_000;
const lookEvery_ms = 10;

export async function flushOutbox(cli: Cli): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    const heads = desk.client.adoptWaiting();
    const value = (sent: number) => ({ waited: heads.length, sent, waiting: desk.outbox.waiting().length });
    if (heads.length === 0) {
      cli.printer.document("gc/flushed/v1", value(0), () => "");
      cli.printer.note("nothing waits in the outbox");
      return 0;
    }
    await desk.connected();
    const unsent = new Set(desk.outbox.waiting().flatMap((kept) => (kept.epoch === undefined ? [kept.head.id] : [])));
    const watch = desk.client.watch({ envelopes: heads.map((head) => head.id as EnvelopeId) }, { after: allPassed });
    const deadline = cli.host.clock.monotonic() + patience_ms;
    let left = unsent.size;
    for (;;) {
      const waiting = desk.outbox.waiting();
      left = waiting.filter((kept) => kept.epoch === undefined).length;
      if (left === 0 || cli.host.clock.monotonic() > deadline) break;
      await new Promise<void>((resolve) => cli.host.clock.after(lookEvery_ms, resolve));
    }
    await desk.client.list({ limit: 1 }); // Whatever accepts the relay had are here once it has answered this.
    watch.stop();
    cli.printer.document("gc/flushed/v1", value(unsent.size - left), () => "");
    cli.printer.note(
      `${unsent.size - left} of ${unsent.size} envelopes sent; ${heads.length - unsent.size} had been sent before`,
    );
    return left === 0 ? 0 : 75;
  } finally {
    desk.close();
  }
}
