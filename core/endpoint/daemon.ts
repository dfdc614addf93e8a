/**
 * The acting half of an endpoint: one process that holds the journal, the link to the relay and the door for workers,
 * and turns what happens into events for `state.ts` and its effects into deeds. Started by `gc __endpoint NAME`.
 */
import { join } from "node:path";
import { AccessList } from "../access/access_list.ts";
import type { EndpointConfig } from "../config/endpoint_config.ts";
import type { EndpointPaths } from "../config/home.ts";
import type { OwnEndpoint } from "../config/identity.ts";
import { messageOf } from "../errors.ts";
import { readTextIfThere, removeIfThere, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { takeLease } from "../host/lease.ts";
import { runInTurns, soon, type Turns } from "../host/turn.ts";
import { endpointTasksMax } from "../limits.ts";
import { envelopeOf, type TaskId } from "../task/id.ts";
import { type Address, type KeptLink, keepLink, type Link, principalSelf } from "../wire/link.ts";
import { software } from "../wire/software.ts";
import { mailboxFolder } from "../worker/block_member.ts";
import { batchSettings, blockDeskSettings, reachOf } from "./batch_engine.ts";
import { BlockDesk } from "./block_desk.ts";
import { Courier } from "./courier.ts";
import type { EndpointEffect, EndpointEvent, EngineSettings } from "./decision.ts";
import { type OwnDoor, ownDoor } from "./door.ts";
import { Hall } from "./hall.ts";
import { type Journal, openJournal } from "./journal.ts";
import type { JournalRecord } from "./journal_record.ts";
import { OutputFiles } from "./output_files.ts";
import { RelayDesk } from "./relay_desk.ts";
import { EndpointState } from "./state.ts";
import { localPlacement } from "./worker_shape.ts";

/** What an endpoint is run with. */
export interface EndpointOptions {
  name: string;
  paths: EndpointPaths;
  /** Socket for its workers. */
  socket: string;
  config: EndpointConfig;
  own: OwnEndpoint;
  /** The relay, asked for again at every attempt to connect. */
  relay: () => Address;
  /** For benchmarks: workers finish tasks without running them. */
  simulate?: boolean;
}

/** A running endpoint. */
export interface Endpoint {
  /** Settles with the exit code when it is over. */
  readonly done: Promise<number>;
  /** Ends workers and tasks (tasks that were running wait for the next start), then the process. */
  stop(how: "drain" | "now"): void;
  /** Ends this process alone; workers go on and are adopted by the next start. */
  leave(): void;
}

const tick_ms = 3600_000;
/** How long a stop waits for workers before it leaves them to the next start. */
const stopWithin_ms = 30_000;
const tasksAhead = 4096;

/**
 * Starts the endpoint: takes its lease, reads its journal, opens its door, connects.
 * @throws GcError `endpoint.already_running`, `ledger.damaged`, `config.*`.
 */
export async function runEndpoint(options: EndpointOptions, host: Host): Promise<Endpoint> {
  const { paths, own, config, name } = options;
  let finish: (code: number) => void = () => {};
  const done = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const lease = takeLease(paths.lease, `endpoint "${name}"`, host, () => {
    host.log.error("lease.lost", { name });
    finish(75);
  });
  const boot = Buffer.from(host.random.bytes(12)).toString("hex");
  const owner = own.owner.id;
  const self = { owner, boot, host: host.hostname, pid: process.pid, since_ms: host.clock.now(), software };
  const { engine } = config;
  const settings: EngineSettings =
    engine.type === "batch"
      ? batchSettings(engine, config.schedule)
      : {
          kind: "local",
          workers: engine.workers,
          tasks_max: endpointTasksMax,
          largest: localPlacement(engine, host).resources,
        };
  const state = new EndpointState(self, settings);
  const lists = { commands: config.commands, functions: config.allowed_functions };
  const courier = new Courier(own.identity, new AccessList({ owner, ...config.allow }), lists, host);
  const journal = openJournal(paths.journal);
  await journal.replay(
    (bytes) => courier.reopen(bytes),
    (record) => state.replay(record),
  );

  const door = engine.type === "batch" ? await ownDoor(paths.dir, own.identity.id, host) : undefined;
  const act = new Acting(options, host, state, courier, journal, boot, door, (code) => finish(code));
  const { pid, since_ms } = self;
  const facts = { v: 1, id: own.identity.id, pid, host: host.hostname, since_ms };
  writeJson(paths.facts, { ...facts, connected: false });
  await act.open(() => writeJson(paths.facts, { ...facts, connected: true }));
  host.log.info("endpoint.started", { name, id: own.identity.id, tasks: state.memory.unfinished });

  const over = done.then(async (code) => {
    await act.close();
    removeIfThere(paths.facts);
    lease.release();
    host.log.info("endpoint.ended", { name, code });
    return code;
  });
  return {
    done: over,
    stop(how) {
      act.push({ t: "stop", how, now_ms: host.clock.now() });
    },
    leave: () => finish(0),
  };
}

/** Everything that does something. */
class Acting {
  private readonly host: Host;
  private readonly state: EndpointState;
  private readonly journal: Journal;
  private readonly options: EndpointOptions;
  private readonly boot: string;
  private readonly exit: (code: number) => void;
  private readonly turns: Turns<EndpointEvent>;
  private readonly hall: Hall;
  private readonly files: OutputFiles;
  private readonly relay: RelayDesk;
  private readonly blocks: BlockDesk | undefined;
  private wake_ms = Number.POSITIVE_INFINITY;
  private stopWake: () => void = () => {};
  private kept: KeptLink | undefined;
  private stopTick: () => void = () => {};
  private stopDeadline: (() => void) | undefined;

  constructor(
    options: EndpointOptions,
    host: Host,
    state: EndpointState,
    courier: Courier,
    journal: Journal,
    boot: string,
    door: OwnDoor | undefined,
    exit: (code: number) => void,
  ) {
    this.options = options;
    this.host = host;
    this.state = state;
    this.journal = journal;
    this.boot = boot;
    this.exit = exit;
    const { paths } = options;
    this.files = new OutputFiles(paths.outputs);
    const push = (event: EndpointEvent): void => this.push(event);
    this.blocks = this.blockDesk(door, push);
    this.hall = new Hall(this.hallSettings(door), host, push);
    const fenced = (): void => {
      host.log.error("endpoint.fenced", { hint: "another process acts as this endpoint; was its folder copied?" });
      exit(75);
    };
    this.relay = new RelayDesk(courier, host, push, (lines) => tail(paths.log, lines), options.own.owner.id, fenced);
    this.turns = runInTurns<EndpointEvent, JournalRecord, EndpointEffect>(
      {
        decide: (event, out) => state.decide(event, out),
        keep: (records) => this.keep(records),
        perform: (effects) => this.perform(effects),
      },
      soon,
      (error) => {
        host.log.error("endpoint.fatal", { reason: messageOf(error) });
        exit(74);
      },
    );
  }

  push(event: EndpointEvent): void {
    if (event.t === "stop" && event.how === "now") this.deadline();
    this.turns.push(event);
  }

  /** `connected` is told once, when the relay knows this endpoint. */
  async open(connected: () => void): Promise<void> {
    let told = false;
    this.blocks?.sweep(this.state.memory.blocks.values());
    await this.hall.open(this.state.memory.workers.keys());
    this.files.sweep((tid) => this.state.memory.held.has(envelopeOf(tid as TaskId)));
    const out = { records: [] as JournalRecord[], effects: [] as EndpointEffect[] };
    this.state.begin(out, this.host.clock.now());
    if (out.records.length > 0) this.keep(out.records);
    this.perform(out.effects);
    const { own, config, name, relay } = this.options;
    const about = { instance: this.boot, name: config.display_name ?? name };
    const { users, public: open } = config.allow;
    const said = {
      name: config.display_name ?? name,
      allow: [own.owner.id, ...users.filter((user) => !config.allow.deny.includes(user))],
      public: open,
      status: { host: this.host.hostname, software, since_ms: this.host.clock.now() },
    };
    this.relay.introduce(said);
    this.kept = keepLink(
      relay,
      principalSelf(own.identity, about),
      {
        up: (link: Link) => {
          this.relay.up(link);
          if (!told) connected();
          told = true;
        },
        messages: (link, messages) => this.relay.messages(link, messages),
        down: (link) => this.relay.down(link),
        waiting: (delay_ms, reason) => this.host.log.info("relay.waiting", { delay_ms, reason: reason.message }),
      },
      this.host,
    );
    this.tickLater();
  }

  async close(): Promise<void> {
    this.stopTick();
    this.stopWake();
    this.blocks?.close();
    this.stopDeadline?.();
    this.turns.flush();
    this.kept?.stop();
    await this.hall.close();
    this.journal.close();
  }

  private keep(records: readonly JournalRecord[]): void {
    this.journal.keep(records);
    if (this.journal.overgrown) this.journal.compact(this.state.memory);
  }

  private perform(effects: readonly EndpointEffect[]): void {
    for (const effect of effects) {
      switch (effect.t) {
        case "to_worker":
          this.hall.send(effect.worker, effect.messages);
          break;
        case "start_worker":
          this.hall.start(effect.worker);
          break;
        case "examine":
          this.hall.examine(effect.worker);
          break;
        case "remove_worker":
          this.hall.remove(effect.worker);
          break;
        case "bury":
          this.hall.buryNow(effect.worker, effect.blame, effect.reason);
          break;
        case "submit_block":
          void this.blocks?.submit(effect.block, effect.name);
          break;
        case "cancel_block": {
          const row = this.state.memory.blocks.get(effect.block);
          if (row !== undefined) void this.blocks?.cancel(row);
          break;
        }
        case "poll_blocks":
          this.blocks?.poll(effect.delay_ms, () => this.state.memory.blocks);
          break;
        case "remove_block":
          this.blocks?.remove(effect.name);
          break;
        case "wake":
          this.wakeAt(effect.at_ms);
          break;
        case "serve_output": {
          const follower = `${effect.asker.session} ${effect.asker.user.id}`;
          if (effect.follow.stop === true) {
            this.files.forget(follower, effect.tid);
            break;
          }
          const chunks = [...this.files.serve(follower, effect.follow, effect.attempt)];
          for (const chunk of chunks) this.relay.answer(effect.asker, chunk);
          break;
        }
        case "drop_output":
          this.files.drop(effect.tid, effect.attempt);
          break;
        case "announce":
          this.announce(effect);
          break;
        case "log":
          this.host.log[effect.level](effect.event, effect.fields);
          break;
        case "exit":
          this.exit(effect.code);
          break;
        default:
          this.relay.perform(effect);
      }
    }
    this.relay.flush();
  }

  /** A relay that forgot everything is told what we hold, and gets the results again that nobody has a receipt for. */
  private announce(effect: Extract<EndpointEffect, { t: "announce" }>): void {
    const raw = this.journal.envelopes(new Set(effect.envelopes.map((held) => held.id)));
    this.relay.announce(effect.epoch, effect.envelopes, raw);
    for (const [re, byIndex] of this.journal.results(effect.recall)) {
      this.push({ t: "recalled", re, indices: [...byIndex.keys()], results: [...byIndex.values()] });
    }
  }

  private deadline(): void {
    this.stopDeadline ??= this.host.clock.after(stopWithin_ms, () => {
      this.host.log.warn("stop.incomplete", { workers: this.state.pool.workers.size });
      this.exit(0);
    });
  }

  private tickLater(): void {
    this.stopTick = this.host.clock.after(tick_ms, () => {
      this.push({ t: "tick", now_ms: this.host.clock.now() });
      this.tickLater();
    });
  }

  /** Only the earliest of several wakes is kept: what is due later is asked for again then. */
  private wakeAt(at_ms: number): void {
    if (at_ms >= this.wake_ms) return;
    this.wake_ms = at_ms;
    this.stopWake();
    this.stopWake = this.host.clock.after(Math.max(0, at_ms - this.host.clock.now()), () => {
      this.wake_ms = Number.POSITIVE_INFINITY;
      this.push({ t: "tick", now_ms: this.host.clock.now() });
    });
  }

  private blockDesk(door: OwnDoor | undefined, push: (event: EndpointEvent) => void): BlockDesk | undefined {
    const { paths, config, own, simulate } = this.options;
    if (config.engine.type !== "batch" || door === undefined) return undefined;
    const { engine, worker_init } = config;
    const init = engine.worker_init === undefined && worker_init !== undefined ? { worker_init } : {};
    const settings = blockDeskSettings(
      { ...engine, ...init },
      {
        endpoint_id: own.identity.id,
        blocks: join(paths.dir, "blocks"),
        outputs: paths.outputs,
        door_path: door.path,
        path: this.host.env.PATH,
        env: config.env,
        python: config.python,
        simulate: simulate === true,
      },
    );
    return new BlockDesk(settings, this.host, push);
  }

  private hallSettings(door: OwnDoor | undefined): ConstructorParameters<typeof Hall>[0] {
    const { paths, config, own, socket, simulate } = this.options;
    const local = config.engine.type === "local" ? config.engine : undefined;
    // Workers of blocks find out on their nodes.
    const placed = localPlacement(local ?? { type: "local", workers: 1 }, this.host);
    const blockDir = (block: string): string | undefined => {
      const row = this.state.memory.blocks.get(block);
      return row === undefined ? undefined : this.blocks?.dirOf(row.name);
    };
    const mailboxes = (): string[] => {
      const names = [...this.state.memory.blocks.values()].map(({ name }) => this.blocks?.dirOf(name) ?? "");
      return names.map((dir) => join(dir, mailboxFolder));
    };
    const reach = config.engine.type === "batch" ? reachOf(config.engine) : [];
    return {
      ...(door === undefined ? {} : { batch: { door, blockDir, reach, mailboxes } }),
      endpoint_id: own.identity.id,
      boot: this.boot,
      dir: paths.workers,
      socket,
      worker: {
        ...placed,
        prefetch: tasksAhead,
        sandboxes: join(paths.dir, "sandboxes"),
        outputs: paths.outputs,
        env: { ...config.env },
        ...(config.worker_init === undefined ? {} : { init: config.worker_init }),
        ...(config.python === undefined ? {} : { python: config.python }),
        ...(simulate === true ? { simulate } : {}),
      },
    };
  }
}

/** The last `lines` of a text file. */
function tail(path: string, lines: number): string {
  const text = readTextIfThere(path) ?? "";
  return text
    .split("\n")
    .slice(-lines - 1)
    .join("\n");
}
