/** An endpoint of the simulated world: production decisions, courier and relay desk; its journal and its hall are
 * here. */
import { AccessList } from "../../core/access/access_list.ts";
import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import { Courier } from "../../core/endpoint/courier.ts";
import type { EndpointEffect, EndpointEvent } from "../../core/endpoint/decision.ts";
import { type JournalRecord, mustBeDurable, reallyWritten } from "../../core/endpoint/journal_record.ts";
import { RelayDesk } from "../../core/endpoint/relay_desk.ts";
import { EndpointState } from "../../core/endpoint/state.ts";
import { runInTurns, type Turns } from "../../core/host/turn.ts";
import { crashPoint } from "../../core/planted.ts";
import type { Result } from "../../core/schema/result.ts";
import type { FromWorker } from "../../core/schema/worker_message.ts";
import { type EnvelopeId, envelopeOf, indexOf, type TaskId } from "../../core/task/id.ts";
import { phase } from "../../core/task/lifecycle.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import type { Link } from "../../core/wire/link.ts";
import type { Role } from "./cast.ts";
import type { Door, Network } from "./network.ts";
import type { Oracle } from "./oracle.ts";
import { SimScheduler, simBatch } from "./sim_scheduler.ts";
import { SimWorker } from "./sim_worker.ts";
import { Died, Life, Violation, type World } from "./world.ts";

interface Written {
  records: JournalRecord[];
  synced: number;
}

export class SimEndpoint {
  life: Life;
  state!: EndpointState;
  door: Door | undefined;
  readonly workers = new Map<string, SimWorker>();
  /** Workers that this world's scheduler calls dead although they live. */
  readonly presumedDead = new Set<string>();
  readonly scheduler: SimScheduler | undefined;
  private readonly batch: BatchSettings | undefined;
  private readonly journal: Written = { records: [], synced: 0 };
  private readonly links = new Map<string, Link>();
  private readonly examined = new Set<string>();
  private turns!: Turns<EndpointEvent>;
  private desk!: RelayDesk;
  private boots = 0;
  private made = 0;
  private readonly world: World;
  private readonly network: Network;
  private readonly oracle: Oracle;
  private readonly role: Role;
  private readonly owner: Role;
  private readonly name: string;
  private readonly relay: () => Door | undefined;

  constructor(
    world: World,
    network: Network,
    oracle: Oracle,
    name: string,
    role: Role,
    owner: Role,
    relay: () => Door | undefined,
    blocks = false,
  ) {
    this.world = world;
    this.network = network;
    this.oracle = oracle;
    this.name = name;
    this.role = role;
    this.owner = owner;
    this.relay = relay;
    if (blocks) {
      const batch = simBatch(world.dice);
      this.batch = batch;
      this.scheduler = new SimScheduler(world, network, oracle, batch, {
        name,
        workers: this.workers,
        door: () => this.door,
        push: (event) => this.turns.push(event),
        blocks: () => this.state.memory.blocks,
      });
    }
    this.life = new Life(world, name);
    this.start(this.life);
  }

  /** Undefined where there are no blocks. */
  get nodes_per_block(): number | undefined {
    return this.batch?.nodes_per_block;
  }

  /**
   * Whether everything it took has been received by its user. A relay that lost its disk may have lost receipts with
   * it; then it is enough that the relay has all results.
   */
  drained(receipts_lost: boolean): boolean {
    if (!this.life.alive) return false;
    const held = [...this.state.memory.held.values()];
    return (
      held.length === 0 || (receipts_lost && held.every((each) => each.phases.every((now) => now >= phase.reported)))
    );
  }

  /** Its owner repairs whatever made it pause. */
  resume(): void {
    if (!this.life.alive || this.state.memory.paused === undefined) return;
    const message = { t: "order", rid: 1, boot: `${this.name}b${this.boots - 1}`, what: "resume" } as const;
    const asker = { user: this.owner.identity.record, session: "none" };
    this.turns.push({ t: "live", asker, message, now_ms: this.life.host().clock.now() });
  }

  private start(life: Life): void {
    this.life = life;
    const boot = `${this.name}b${this.boots++}`;
    const host = life.host();
    const { identity, keys } = this.role;
    const owner = this.owner.identity.id;
    const self = { owner, boot, host: "sim", pid: 1, since_ms: 0, software: "sim" };
    const local = () => ({
      kind: "local" as const,
      workers: 1 + (this.world.dice.chance(0.5) ? 1 : 0),
      tasks_max: this.world.dice.pick([3, 10, 50]),
    });
    const state = new EndpointState(self, this.batch ?? local());
    this.state = state;
    for (const record of this.journal.records) state.replay(record);
    const list = new AccessList({ owner, users: [], public: false, deny: [] });
    const courier = new Courier(identity, list, {}, host, keys);
    this.turns = runInTurns<EndpointEvent, JournalRecord, EndpointEffect>(
      {
        decide: (event, out) => {
          state.decide(event, out);
          this.checkTaken(state, event);
        },
        keep: (records) => this.keep(records),
        perform: (effects) => this.perform(life, effects),
      },
      life.soon,
      (error) => {
        if (!(error instanceof Died)) throw error;
        life.die();
      },
    );
    this.desk = new RelayDesk(
      courier,
      host,
      (event) => this.turns.push(event),
      () => "",
      owner,
      () => {
        throw new Violation("an endpoint was fenced out although there is no other");
      },
    );
    this.desk.introduce({ name: this.name, allow: [owner], public: false, status: {} });
    this.openDoor(life, boot);
    life.onDeath(() => this.fall(life));
    const out = { records: [] as JournalRecord[], effects: [] as EndpointEffect[] };
    state.begin(out, host.clock.now());
    if (out.records.length > 0) this.keep(out.records);
    this.perform(life, out.effects);
    const me = { role: "endpoint", id: identity.id, record: identity.record, instance: boot, local: true } as const;
    this.network.keep(life, me, this.relay, {
      up: (link) => this.desk.up(link),
      messages: (link, messages) => this.desk.messages(link, messages),
      down: (link) => this.desk.down(link),
    });
    life.after(100, () => this.turns.push({ t: "tick", now_ms: host.clock.now() }));
  }

  private openDoor(life: Life, boot: string): void {
    this.door = {
      life,
      epoch: boot,
      self: { role: "endpoint", id: this.role.identity.id, instance: boot, local: true },
      admits: (peer) => this.workers.has(peer.id) && this.scheduler?.buried.has(peer.id) !== true,
      events: {
        up: () => {},
        messages: (link, messages) => {
          for (const message of messages) this.hear(link, message as unknown as FromWorker);
        },
        down: (link) => {
          if (link === undefined || this.links.get(link.peer.id) !== link) return;
          this.links.delete(link.peer.id);
          this.turns.push({ t: "worker_down", worker: link.peer.id, now_ms: life.host().clock.now() });
        },
      },
    };
  }

  private fall(life: Life): void {
    this.door = undefined;
    this.links.clear();
    this.examined.clear();
    // What was not synced may or may not have reached the disk; never more than a prefix.
    const { journal } = this;
    if (this.world.dice.chance(0.5)) journal.records.length = journal.synced;
    journal.synced = journal.records.length;
    this.world.after(this.world.dice.between(50, 8000), () => {
      const next = new Life(this.world, this.name, life.skew_ms);
      next.survive(() => this.start(next));
    });
  }

  private hear(link: Link, message: FromWorker): void {
    const worker = link.peer.id;
    const now_ms = this.life.host().clock.now();
    if (message.t === "ready") {
      this.links.set(worker, link);
      const block = this.scheduler === undefined ? {} : { block: `${worker.slice(0, 28)}00000000` };
      this.turns.push({ t: "worker_up", worker, ready: message, ...block, now_ms });
    } else if (this.links.get(worker) !== link) return;
    else if (message.t === "leaving") this.turns.push({ t: "from_worker", worker, message });
    else if (message.t === "report") this.turns.push({ t: "report", worker, report: message, now_ms });
  }

  /** No valid result is thrown away: after its report a task has a result, or another attempt for a known reason. */
  private checkTaken(state: EndpointState, event: EndpointEvent): void {
    if (event.t !== "report") return;
    for (const { tid, attempt, result } of event.report.finished) {
      const held = state.memory.held.get(envelopeOf(tid as TaskId));
      const index = indexOf(tid as TaskId);
      if (held === undefined || result.outcome.class !== "ok" || (held.spent[index] ?? 0) >= attempt) continue;
      if ((held.phases[index] ?? 0) < 3)
        throw new Violation(`the result of attempt ${attempt} of ${tid} was thrown away`);
    }
  }

  private keep(records: readonly JournalRecord[]): void {
    crashPoint("endpoint.before_sync");
    const { journal } = this;
    let durable = false;
    for (const record of records) {
      if (record.t === "finished") this.checkFirst(record);
      if (!reallyWritten(record)) continue;
      journal.records.push(record);
      durable ||= mustBeDurable(record);
    }
    if (durable) journal.synced = journal.records.length;
    crashPoint("endpoint.after_sync");
  }

  /** A result is decided once, and only a crash before it was written may undo that. */
  private checkFirst(record: Extract<JournalRecord, { t: "finished" }>): void {
    for (const index of record.indices) {
      const there = this.journal.records.some(
        (other) => other.t === "finished" && other.re === record.re && other.indices.includes(index),
      );
      if (there) throw new Violation(`task ${index} of ${record.re} got a second result`);
    }
  }

  private perform(life: Life, effects: readonly EndpointEffect[]): void {
    for (const effect of effects) {
      if (this.scheduler?.perform(life, effect) === true) continue;
      switch (effect.t) {
        case "to_worker":
          this.links.get(effect.worker)?.send(effect.messages as Frameable[]);
          break;
        case "start_worker":
          this.startWorker(life, effect.worker);
          break;
        case "examine":
          this.examine(life, effect.worker);
          break;
        case "announce":
          this.announce(effect);
          break;
        case "remove_worker":
        case "serve_output":
        case "drop_output":
        case "log":
        case "exit":
          break;
        default:
          this.desk.perform(effect);
      }
    }
    this.desk.flush();
  }

  private announce(effect: Extract<EndpointEffect, { t: "announce" }>): void {
    const raw = new Map<EnvelopeId, Uint8Array>();
    const results = new Map<EnvelopeId, Map<number, Result>>();
    for (const record of this.journal.records) {
      if (record.t === "accepted") raw.set(record.arrival.header.id as EnvelopeId, record.bytes[0]);
      if (record.t !== "finished") continue;
      const map = results.get(record.re) ?? new Map<number, Result>();
      results.set(record.re, map);
      for (const [k, index] of record.indices.entries()) map.set(index, record.results[k] as Result);
    }
    this.desk.announce(effect.epoch, effect.envelopes, raw);
    for (const [re, indices] of effect.recall) {
      const known = indices.filter((index) => results.get(re)?.has(index));
      this.turns.push({
        t: "recalled",
        re,
        indices: known,
        results: known.map((index) => results.get(re)?.get(index) as Result),
      });
    }
  }

  private startWorker(life: Life, id: string): void {
    const { dice } = this.world;
    const name = `${this.name}w${this.made++}`;
    if (!this.network.healed && dice.chance(0.03)) return this.examine(life, id);
    life.after(dice.between(5, 500), () => {
      this.workers.set(id, new SimWorker(this.world, this.network, this.oracle, id, name, () => this.door));
    });
    this.examine(life, id);
  }

  private examine(life: Life, id: string): void {
    if (this.examined.has(id)) return;
    this.examined.add(id);
    const since_ms = this.world.now_ms;
    const look = (): void => {
      const worker = this.workers.get(id);
      const missing = worker === undefined && this.world.now_ms - since_ms > 5000;
      const ended = this.scheduler === undefined ? missing || worker?.life.alive === false : worker?.left === true;
      const dead = ended || this.presumedDead.has(id);
      if (this.links.has(id) || dead) this.examined.delete(id);
      if (this.links.has(id)) return;
      if (!dead) {
        life.after(this.world.dice.between(50, 2000), look);
        return;
      }
      if (this.presumedDead.has(id)) worker?.becomeZombie();
      const { started, finished } = worker?.spool ?? { started: [], finished: [] };
      const reason = "its process ended";
      const now_ms = life.host().clock.now();
      this.turns.push({ t: "buried", worker: id, started: [...started], finished: [...finished], reason, now_ms });
    };
    life.after(this.world.dice.between(1, 100), look);
  }
}
