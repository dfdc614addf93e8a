/** The user of the simulated world: a production client that hands tasks over, watches, and now and then dies. */

import { crashPoint } from "../../core/planted.ts";
import type { ParcelHead } from "../../core/schema/outbox.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { Client } from "../../core/submit/client.ts";
import type { Deliveries } from "../../core/submit/deliveries.ts";
import type { ParcelStore } from "../../core/submit/outbox.ts";
import type { Parcel } from "../../core/submit/parcel.ts";
import { type EnvelopeId, type PrincipalId, taskId } from "../../core/task/id.ts";
import type { Role } from "./cast.ts";
import type { Door, Network } from "./network.ts";
import type { Oracle } from "./oracle.ts";
import { Died, Life, Violation, type World } from "./world.ts";

/** An outbox on a disk that keeps its word. */
class DiskStore implements ParcelStore {
  readonly parcels = new Map<EnvelopeId, { parcel: Parcel; epoch?: string; over: boolean }>();

  put(parcel: Parcel): void {
    crashPoint("client.before_outbox");
    this.parcels.set(parcel.head.id as EnvelopeId, { parcel, over: false });
    crashPoint("client.after_outbox");
  }

  promised(): void {}

  stored(id: EnvelopeId, epoch: string): void {
    const there = this.parcels.get(id);
    if (there !== undefined) there.epoch = epoch;
  }

  accepted(id: EnvelopeId): void {
    this.end(id);
  }

  refused(id: EnvelopeId): void {
    throw new Violation(`the envelope ${id} was refused`);
  }

  withdrawn(id: EnvelopeId): void {
    this.end(id);
  }

  envelope(id: EnvelopeId): Uint8Array | undefined {
    return this.parcels.get(id)?.parcel.envelope;
  }

  waiting(): { head: ParcelHead; epoch?: string }[] {
    return [...this.parcels.values()]
      .filter((each) => !each.over)
      .map(({ parcel, epoch }) => ({ head: parcel.head, ...(epoch === undefined ? {} : { epoch }) }));
  }

  private end(id: EnvelopeId): void {
    const there = this.parcels.get(id);
    if (there !== undefined) there.over = true;
  }
}

export class SimClient {
  life: Life;
  readonly store = new DiskStore();
  private client!: Client;
  /** What the person already has on disk. */
  private readonly saved = new Map<EnvelopeId, Set<number>>();
  private readonly world: World;
  private readonly network: Network;
  private readonly oracle: Oracle;
  private readonly role: Role;
  private readonly relay: () => Door | undefined;

  constructor(world: World, network: Network, oracle: Oracle, role: Role, relay: () => Door | undefined) {
    this.world = world;
    this.network = network;
    this.oracle = oracle;
    this.role = role;
    this.relay = relay;
    this.life = new Life(world, "client");
    this.start(this.life);
  }

  /** Whether nothing waits in the outbox. */
  get drained(): boolean {
    return this.life.alive && this.store.waiting().length === 0;
  }

  /** Hands a batch over. Nothing is promised when the process dies on the way. */
  submit(endpoint: Role, base: TaskSpec, tasks: TaskSpec[], priority: number): void {
    if (!this.life.alive) return;
    this.life.survive(() => {
      const head = this.client.submit(endpoint.identity.record, { base, tasks, priority });
      this.client.flush();
      if (!this.life.alive || !this.store.parcels.has(head.id as EnvelopeId)) return;
      this.promise(head.id as EnvelopeId);
      this.watch(this.client, this.life, [head.id as EnvelopeId]);
    });
  }

  cancel(id: EnvelopeId, index: number): void {
    const parcel = this.store.parcels.get(id);
    if (!this.life.alive || parcel === undefined) return;
    const asked = this.oracle.asked.get(taskId(id, index));
    if (asked !== undefined) asked.cancelled = true;
    this.client.cancel(id, parcel.parcel.head.endpoint.id as PrincipalId, [index]).catch(() => {});
  }

  /** From here on every task of it must end with a result. */
  private promise(id: EnvelopeId): void {
    const parcel = this.store.parcels.get(id)?.parcel;
    for (const [index, task] of parcel?.tasks.entries() ?? [])
      this.oracle.ask(taskId(id, index), { ...parcel?.base, ...task });
  }

  private start(life: Life): void {
    this.life = life;
    const { identity, keys } = this.role;
    const self = { role: "user", id: identity.id, record: identity.record, instance: "c", local: true } as const;
    const client = new Client({
      identity,
      host: life.host(),
      store: this.store,
      context: "sim",
      keys,
      soon: life.soon,
      connect: (events) => this.network.keep(life, self, this.relay, events),
    });
    this.client = client;
    for (const { id } of client.adoptWaiting()) this.adopt(id as EnvelopeId);
    // Nobody knows whether the receipts of the last life got through; they may be sent twice.
    for (const [id, indices] of this.saved) {
      const endpoint = this.store.parcels.get(id)?.parcel.head.endpoint.id as PrincipalId;
      client.receipt(id, endpoint, [...indices]).catch(() => {});
    }
    const open = [...this.store.parcels.keys()].filter((id) => !this.complete(id));
    if (open.length > 0) this.watch(client, life, open);
    life.onDeath(() => {
      this.world.after(this.world.dice.between(50, 8000), () => {
        const next = new Life(this.world, "client", life.skew_ms);
        next.survive(() => this.start(next));
      });
    });
  }

  /** An envelope that a dead process left: it is on disk, so it counts, whether or not its id was printed. */
  private adopt(id: EnvelopeId): void {
    if (!this.oracle.asked.has(taskId(id, 0))) this.promise(id);
  }

  private complete(id: EnvelopeId): boolean {
    return this.saved.get(id)?.size === this.store.parcels.get(id)?.parcel.head.count;
  }

  private watch(client: Client, life: Life, envelopes: EnvelopeId[]): void {
    const deliveries = client.watch({ envelopes });
    const read = (): void => {
      const { broken } = client as unknown as { broken: unknown };
      if (broken !== undefined && !(broken instanceof Died)) throw broken;
      if (broken instanceof Died) return life.die();
      this.take(client, deliveries);
      if (envelopes.every((id) => this.complete(id))) deliveries.stop();
      else life.after(this.world.dice.between(5, 200), read);
    };
    life.after(5, read);
  }

  private take(client: Client, deliveries: Deliveries): void {
    for (let delivery = deliveries.poll(); delivery !== undefined; delivery = deliveries.poll()) {
      for (const { id, from, indices, results } of delivery.batches) {
        indices.forEach((index, k) => {
          const result = results?.[k];
          if (result === undefined) throw new Violation("a delivery without results");
          this.oracle.receive(taskId(id, index), result);
          const saved = this.saved.get(id) ?? new Set();
          this.saved.set(id, saved.add(index));
        });
        crashPoint("client.before_receipt");
        client.receipt(id, from, indices).catch(() => {});
      }
    }
  }
}
