/** One seed: a small cluster, some tasks, a time of faults, then peace; in the end everything must be as promised. */
import { atCrashPoints, type PlantedBug, plant } from "../../core/planted.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { EnvelopeId } from "../../core/task/id.ts";
import type { Cast } from "./cast.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { SimClient } from "./sim_client.ts";
import { SimEndpoint } from "./sim_endpoint.ts";
import { SimRelay } from "./sim_relay.ts";
import { Died, Violation, World } from "./world.ts";

/** What came out of a seed. */
export interface Outcome {
  seed: number;
  violation: string | undefined;
  tasks: number;
  events: number;
  deaths: number;
  hash: number;
}

const faults_ms = 30_000;
const peace_ms = 30 * 60_000;

/** Plays one seed, with planted bugs if any are named. */
export function play(seed: number, cast: Cast, bugs: PlantedBug[] = [], blocks = false): Outcome {
  const world = new World(seed);
  const stage = new Stage(world, cast, blocks);
  const unplant = plant(...bugs);
  const unwatch = atCrashPoints(() => {
    if (stage.atWar && world.dice.chance(0.004)) {
      stage.deaths++;
      throw new Died("at a crash point");
    }
  });
  try {
    stage.play();
    return { ...stage.outcome(seed), violation: undefined };
  } catch (error) {
    const telling = error instanceof Error && ["BrokenInvariant", "StoreFailed"].includes(error.name);
    if (error instanceof Violation || telling) {
      return { ...stage.outcome(seed), violation: error.message };
    }
    throw error;
  } finally {
    unwatch();
    unplant();
  }
}

class Stage {
  atWar = true;
  deaths = 0;
  private readonly network: Network;
  private readonly oracle: Oracle;
  private readonly relay: SimRelay;
  private readonly client: SimClient;
  private readonly endpoints: SimEndpoint[];
  private readonly world: World;
  private readonly cast: Cast;

  /** `blocks`: workers come in blocks of a batch scheduler, which lies, loses, delays and kills. */
  constructor(world: World, cast: Cast, blocks: boolean) {
    this.world = world;
    this.cast = cast;
    this.network = new Network(world);
    this.oracle = new Oracle(world);
    this.relay = new SimRelay(world, cast);
    const door = () => this.relay.door;
    this.endpoints = cast.endpoints.map(
      (role, k) => new SimEndpoint(world, this.network, this.oracle, `e${k}`, role, cast.user, door, blocks),
    );
    this.client = new SimClient(world, this.network, this.oracle, cast.user, door);
  }

  play(): void {
    this.plan();
    this.world.run(this.world.now_ms + faults_ms, () => false);
    this.atWar = false;
    this.network.healed = true;
    this.network.latency_ms = 5;
    for (const endpoint of this.endpoints) endpoint.presumedDead.clear();
    for (let k = 1; k < 10; k++) {
      this.world.after(k * 10_000, () => {
        for (const endpoint of this.endpoints) endpoint.resume();
      });
    }
    const peaceful = this.world.run(this.world.now_ms + peace_ms, () => this.settled());
    if (!peaceful) throw new Violation(`there was no end: ${this.unsettled()}`);
    const orphans = this.endpoints.flatMap(({ scheduler }) => scheduler?.orphans() ?? []);
    if (orphans.length > 0) throw new Violation(`blocks that nobody knows of live on: ${orphans.join(" ")}`);
    const { tasks } = this.relay.mailbox.counts();
    if (tasks > this.client.store.parcels.size) {
      throw new Violation(`the relay has ${tasks} envelopes, but ${this.client.store.parcels.size} were made`);
    }
  }

  outcome(seed: number): Omit<Outcome, "violation"> {
    return {
      seed,
      tasks: this.oracle.asked.size,
      events: this.world.events,
      deaths: this.deaths,
      hash: this.world.hash,
    };
  }

  private settled(): boolean {
    const lost = this.relay.losses > 0;
    return (
      this.oracle.missing().length === 0 && this.client.drained && this.endpoints.every((each) => each.drained(lost))
    );
  }

  private unsettled(): string {
    const held = this.endpoints.map((each) => each.state.memory.held.size);
    const outbox = this.client.store.waiting().length;
    return `missing ${this.oracle.missing().join(" ") || "nothing"}, held ${held.join("+")}, outbox ${outbox}`;
  }

  private plan(): void {
    const { dice } = this.world;
    // In bursts, so that several envelopes are under way to one endpoint at the same time.
    const bursts = dice.between(1, 4);
    for (let k = 0; k < bursts; k++) {
      const at_ms = dice.between(0, 15_000);
      const envelopes = dice.between(1, 4);
      for (let j = 0; j < envelopes; j++) this.world.after(at_ms + dice.between(0, 400), () => this.submit());
    }
    const faults = dice.between(0, 14);
    for (let k = 0; k < faults; k++) this.world.after(dice.between(200, faults_ms), () => this.fault());
    const cancels = dice.between(0, 3);
    for (let k = 0; k < cancels; k++) this.world.after(dice.between(500, 25_000), () => this.cancel());
  }

  private submit(): void {
    const { dice } = this.world;
    const base: TaskSpec = { argv: ["work"], ...(dice.chance(0.4) ? { on_lost: "fail" } : {}) };
    const tasks: TaskSpec[] = [];
    const count = dice.between(1, 6);
    for (let k = 0; k < count; k++) tasks.push(dice.chance(0.15) ? { retries: 1 } : {});
    const to = dice.pick(this.cast.endpoints);
    const { nodes_per_block } = this.endpoints[this.cast.endpoints.indexOf(to)] ?? {};
    // In blocks, some take whole nodes.
    if (nodes_per_block !== undefined) {
      for (const task of tasks) {
        if (dice.chance(0.3)) task.resources = { nodes: dice.between(1, nodes_per_block) };
        if (dice.chance(0.3)) task.walltime_s = dice.between(1, 30);
      }
    }
    this.client.submit(to, base, tasks, dice.between(-1, 1));
  }

  private cancel(): void {
    const ids = [...this.client.store.parcels.keys()];
    if (ids.length === 0) return;
    const id = this.world.dice.pick(ids) as EnvelopeId;
    const count = this.client.store.parcels.get(id)?.parcel.head.count ?? 1;
    this.client.cancel(id, this.world.dice.between(0, count - 1));
  }

  private fault(): void {
    const { dice } = this.world;
    const endpoint = dice.pick(this.endpoints);
    if (endpoint.scheduler !== undefined && dice.chance(0.5)) {
      this.deaths++;
      return endpoint.scheduler.fault();
    }
    const workers = [...endpoint.workers.values()].filter((worker) => worker.life.alive);
    const kind = dice.between(0, 11);
    this.world.note(`fault ${kind}`);
    this.deaths++;
    switch (kind) {
      case 0:
        return this.relay.crash(dice.chance(0.15));
      case 1:
        return endpoint.life.die();
      case 2:
        return this.client.life.die();
      case 3:
      case 4:
        return workers.length > 0 ? dice.pick(workers).life.die() : undefined;
      case 5: {
        // A scheduler lies: a worker that lives is called dead. Its link breaks first, or nobody would ask.
        if (workers.length === 0) return;
        const worker = dice.pick(workers);
        endpoint.presumedDead.add(worker.id);
        this.world.after(dice.between(100, 5000), () => endpoint.presumedDead.delete(worker.id));
        this.network.cutAll(worker.life.name);
        return;
      }
      case 6:
        this.network.latency_ms = dice.pick([5, 50, 1000]);
        return;
      case 7: {
        const life = dice.pick([this.relay.life, endpoint.life, this.client.life]);
        life.skew_ms += dice.pick([-86_400_000, 86_400_000]);
        return;
      }
      default:
        this.network.hurt();
    }
  }
}
