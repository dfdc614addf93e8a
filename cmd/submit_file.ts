/**
 * Many tasks from a file or a pipe, in batches that share one group. Ids are printed as soon as their batch is on
 * stable storage at the relay; only a few batches are under way at a time, so a million lines need little memory.
 */
import { GcError } from "../core/errors.ts";
import { windowEnvelopes } from "../core/limits.ts";
import type { KeyRecord } from "../core/schema/envelope.ts";
import type { TaskSpec } from "../core/schema/task.ts";
import type { Client, Fate } from "../core/submit/client.ts";
import { type Batch, newUuid } from "../core/submit/composer.ts";
import { type EnvelopeId, type GroupId, taskId } from "../core/task/id.ts";
import { fromWireError } from "../core/wire/link.ts";
import type { Cli } from "./cli.ts";
import { writeFully } from "./streams.ts";
import { batchFacts, type SubmitWish } from "./task_batch.ts";
import { TaskDesk } from "./task_desk.ts";
import { taskBatches } from "./task_lines.ts";

/** Batches that may be under way: enough to keep the relay busy while the next one is read. */
const underWayMax = Math.min(4, windowEnvelopes);

interface Sent {
  id: EnvelopeId;
  count: number;
  fate: Promise<Fate>;
}

/** Submits every line. Returns the exit code: 75 when something waits in the outbox. */
export async function submitFile(cli: Cli, base: TaskSpec, path: string, wish: SubmitWish): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    const endpoint = await desk.endpoint(wish.endpoint);
    const { client } = desk;
    client.adoptWaiting();
    const facts = batchFacts(desk, endpoint, wish);
    facts.group ??= newUuid(cli.host.random);
    const printer = new IdPrinter(cli, facts.group);
    let away: GcError | undefined;
    const underWay: Sent[] = [];
    const settle = async (): Promise<void> => {
      const sent = underWay.shift();
      if (sent === undefined) return;
      const answer = away ?? (await desk.settled(sent.fate));
      if (answer === "stored" || answer === "accepted") return printer.stored(sent.id, sent.count);
      if (!(answer instanceof GcError)) throw typeof answer === "object" ? fromWireError(answer) : new Error(answer);
      away = answer;
      printer.queued(sent.count);
    };
    let broken: unknown;
    try {
      for await (const { tasks } of taskBatches(path)) {
        client.prepare(endpoint.record);
        underWay.push(handOver(client, endpoint.record, { base, tasks, ...facts }));
        if (underWay.length >= underWayMax) await settle();
      }
    } catch (error) {
      broken = error;
    }
    // What was handed over before a bad line is handed over: its ids are printed in any case.
    while (underWay.length > 0) await settle();
    if (broken !== undefined) {
      if (printer.count > 0)
        cli.printer.warn(`${printer.count} tasks before that were submitted, in the group ${facts.group}`);
      throw broken;
    }
    if (away === undefined && printer.count > 0 && desk.startsItself(endpoint)) await desk.seeOnline(endpoint);
    await printer.end(away);
    return printer.waiting > 0 ? 75 : 0;
  } finally {
    desk.close();
  }
}

function handOver(client: Client, to: KeyRecord, batch: Batch): Sent {
  let learn: (fate: Fate) => void = () => {};
  const fate = new Promise<Fate>((resolve) => {
    learn = resolve;
  });
  const head = client.submit(to, batch, (told) => learn(told));
  client.flush();
  return { id: head.id as EnvelopeId, count: batch.tasks.length, fate };
}

/** Ids on standard output, one a line, in the order of the lines; what is to be said about them on standard error. */
class IdPrinter {
  count = 0;
  waiting = 0;
  private readonly cli: Cli;
  private readonly group: GroupId;
  private readonly envelopes: { id: string; count: number }[] = [];

  constructor(cli: Cli, group: GroupId) {
    this.cli = cli;
    this.group = group;
  }

  async stored(id: EnvelopeId, count: number): Promise<void> {
    this.count += count;
    if (this.cli.printer.mode === "json") {
      this.envelopes.push({ id, count });
      return;
    }
    const ids = Array.from({ length: count }, (_, index) => `${taskId(id, index)}\n`);
    await writeFully(1, Buffer.from(ids.join("")));
  }

  queued(count: number): void {
    this.waiting += count;
  }

  async end(away: GcError | undefined): Promise<void> {
    const { printer } = this.cli;
    const { group, count, waiting, envelopes } = this;
    printer.document("gc/submitted_many/v1", { group, stored: count, queued_here: waiting, envelopes }, () => "");
    if (waiting > 0) {
      const why = away?.message ?? "The relay is not reached";
      printer.warn(
        `${why}\n  ${waiting} tasks wait in the outbox; the next gc command sends them, or: gc submit --flush`,
      );
    }
    printer.note(`${count + waiting} tasks in the group ${group}; next: gc wait --group ${group}`);
  }
}
