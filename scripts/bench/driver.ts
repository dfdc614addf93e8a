/**
 * A client process that a bench drives by JSON lines: it stays connected, so that what is measured is the path of tasks
 * and not the start of a program. It uses the client room as every command does; with the argument `memory` its outbox
 * is in memory, so that what is durable is the relay alone.
 */
import { currentContext } from "../../core/config/context.ts";
import { openHome } from "../../core/config/home.ts";
import { loadIdentity } from "../../core/config/identity.ts";
import { messageOf } from "../../core/errors.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import type { KeyRecord } from "../../core/schema/envelope.ts";
import type { ParcelHead } from "../../core/schema/outbox.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { Client, type Fate } from "../../core/submit/client.ts";
import type { Deliveries } from "../../core/submit/deliveries.ts";
import { Outbox, type ParcelStore } from "../../core/submit/outbox.ts";
import type { Parcel } from "../../core/submit/parcel.ts";
import type { EnvelopeId, GroupId } from "../../core/task/id.ts";
import { keepLink, principalSelf } from "../../core/wire/link.ts";

/**
 * What a bench may ask for. Commands are told apart: each has its number as last argument, as xargs gives it, and with
 * `pad` an argument of so many bytes more.
 */
export type Ask =
  /** `n` tasks in envelopes of `per_envelope`; answers when all results are here and receipts are stored. */
  | { do: "tasks"; n: number; per_envelope: number; spec: TaskSpec; pad?: number }
  /** One task after the other, each until its result is here. */
  | { do: "loop"; n: number; spec: TaskSpec }
  /** `n` tasks handed over, `in_flight` envelopes at a time; answers when the relay has all on stable storage. */
  | { do: "submit"; n: number; per_envelope: number; in_flight: number; spec: TaskSpec; pad?: number }
  /** Waits until results of `n` more tasks that `submit` handed over have come in. */
  | { do: "drain"; n: number };

export interface Answer {
  wall_ms: number;
  /** Only of `loop`: time of each round trip. */
  times_ms?: number[];
}

/** An outbox that forgets when the process ends. */
class MemoryOutbox implements ParcelStore {
  private readonly parcels = new Map<EnvelopeId, Uint8Array>();
  put(parcel: Parcel): void {
    this.parcels.set(parcel.head.id as EnvelopeId, parcel.envelope);
  }
  promised(): void {}
  stored(id: EnvelopeId): void {
    this.parcels.delete(id);
  }
  accepted(): void {}
  refused(): void {}
  withdrawn(): void {}
  envelope(id: EnvelopeId): Uint8Array | undefined {
    return this.parcels.get(id);
  }
  waiting(): [] {
    return [];
  }
}

class Session {
  private readonly client: Client;
  private endpoint: KeyRecord | undefined;
  /** Group of everything that `submit` hands over. */
  private readonly group = newId() as GroupId;
  private pad: string[] = [];
  private count = 0;
  private draining: Deliveries | undefined;
  private drained = 0;

  constructor(outbox: string) {
    const home = openHome(process.env);
    const host = realHost(createLog((line) => console.error(line), "warn", Date.now));
    const identity = loadIdentity(home, host);
    const context = currentContext(home, host.env, undefined);
    const store = outbox === "memory" ? new MemoryOutbox() : new Outbox(home, context.name);
    const self = principalSelf(identity, { instance: newId() });
    this.client = new Client({
      identity,
      host,
      store,
      context: context.name,
      connect: (events) => keepLink(context.address, self, events, host),
    });
  }

  /** Resolves once the relay answers and names an endpoint. */
  async connect(): Promise<void> {
    await within(30_000, "the relay does not answer", async () => {
      while (!this.client.up) await Bun.sleep(5);
    });
    const rows = await this.client.endpoints();
    this.endpoint = rows[0]?.record;
    if (this.endpoint === undefined) throw new Error("The relay knows no endpoint");
    this.client.prepare(this.endpoint);
  }

  answer(ask: Ask): Promise<Answer> {
    this.pad = "pad" in ask && ask.pad !== undefined ? ["x".repeat(ask.pad)] : [];
    switch (ask.do) {
      case "tasks":
        return this.tasks(ask.n, ask.per_envelope, ask.spec);
      case "loop":
        return this.loop(ask.n, ask.spec);
      case "submit":
        return this.submit(ask.n, ask.per_envelope, ask.in_flight, ask.spec);
      case "drain":
        return this.drain(ask.n);
    }
  }

  private async tasks(n: number, per_envelope: number, spec: TaskSpec): Promise<Answer> {
    const begun_ms = performance.now();
    const group = newId() as GroupId;
    const deliveries = this.client.watch({ group });
    for (let left = n; left > 0; left -= per_envelope) this.hand(Math.min(left, per_envelope), spec, group);
    const receipts: Promise<void>[] = [];
    let came = 0;
    for await (const { batches, expired } of deliveries) {
      if (expired.length > 0) throw new Error("Tasks expired");
      for (const { id, from, indices, classes } of batches) {
        const bad = classes.find((each) => each !== "ok");
        if (bad !== undefined) throw new Error(`A task came back as "${bad}"`);
        came += indices.length;
        receipts.push(this.client.receipt(id, from, indices));
      }
      if (came >= n) break;
    }
    await Promise.all(receipts);
    return { wall_ms: performance.now() - begun_ms };
  }

  private async loop(n: number, spec: TaskSpec): Promise<Answer> {
    const begun_ms = performance.now();
    const times_ms: number[] = [];
    for (let i = 0; i < n; i++) {
      const sent_ms = performance.now();
      // Nobody is told of the task before its result is there: as with `gc run`, our disk is not waited for.
      const head = this.hand(1, spec, newId() as GroupId, undefined, false);
      const deliveries = this.client.watch({ envelopes: [head.id as EnvelopeId] });
      let over = false;
      for await (const { batches } of deliveries) {
        const [batch] = batches;
        if (batch === undefined) continue;
        times_ms.push(performance.now() - sent_ms);
        over = true;
        const bad = batch.classes.find((each) => each !== "ok");
        if (bad !== undefined) throw new Error(`A task came back as "${bad}"`);
        void this.client.receipt(batch.id, batch.from, batch.indices);
        break;
      }
      if (!over) throw new Error("The watch ended without a result");
    }
    return { wall_ms: performance.now() - begun_ms, times_ms };
  }

  private async submit(n: number, per_envelope: number, in_flight: number, spec: TaskSpec): Promise<Answer> {
    const begun_ms = performance.now();
    let left = n;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        const count = Math.min(left, per_envelope);
        left -= count;
        await this.stored(count, spec, this.group);
      }
    };
    await Promise.all(Array.from({ length: in_flight }, lane));
    return { wall_ms: performance.now() - begun_ms };
  }

  /** Reads on where the last `drain` stopped; results beyond `n` of one delivery count for the next. */
  private async drain(n: number): Promise<Answer> {
    const begun_ms = performance.now();
    this.draining ??= this.client.watch({ group: this.group });
    while (this.drained < n) {
      const { value, done } = await this.draining.next();
      if (done === true) throw new Error("The watch ended");
      for (const { indices } of value.batches) this.drained += indices.length;
    }
    this.drained -= n;
    return { wall_ms: performance.now() - begun_ms };
  }

  /** Hands `count` equal tasks over and waits until the relay has them. */
  private stored(count: number, spec: TaskSpec, group: GroupId): Promise<void> {
    return new Promise((resolve, reject) => {
      this.hand(count, spec, group, (fate) => {
        if (fate === "stored" || fate === "accepted") resolve();
        else reject(new Error(fate === "withdrawn" ? fate : fate.message));
      });
    });
  }

  private hand(
    count: number,
    base: TaskSpec,
    group: GroupId,
    fate?: (fate: Fate) => void,
    promised = true,
  ): ParcelHead {
    if (this.endpoint === undefined) throw new Error("Not connected");
    const { argv = [], python, ...rest } = base;
    const tasks: TaskSpec[] = Array.from({ length: count }, () =>
      python === undefined ? { argv: [...argv, ...this.pad, String(this.count++)] } : { python },
    );
    return this.client.submit(this.endpoint, { base: rest, tasks, group }, fate, promised);
  }
}

function newId(): string {
  return crypto.randomUUID();
}

async function within(limit_ms: number, otherwise: string, wait: () => Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.reject(new Error(otherwise)), limit_ms);
  await Promise.race([wait(), late.promise]);
  clearTimeout(timer);
}

async function main(): Promise<void> {
  const reply = (answer: object): void => console.log(JSON.stringify(answer));
  const session = new Session(process.argv[2] ?? "disk");
  try {
    await session.connect();
    reply({ wall_ms: 0 });
  } catch (error) {
    reply({ error: messageOf(error) });
    process.exit(1);
  }
  for await (const line of console) {
    try {
      reply(await session.answer(JSON.parse(line) as Ask));
    } catch (error) {
      reply({ error: messageOf(error) });
    }
  }
  process.exit(0);
}

await main();
