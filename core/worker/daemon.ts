/**
 * A worker as a process: brings what happens (the link, processes, timers) to the state as events, and does what it
 * decides. It outlives its endpoint: tasks go on without a link, results wait in the spool, and the link is opened
 * again for as long as the worker's directory is there.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { unreachable } from "../assert.ts";
import { GcError, messageOf } from "../errors.ts";
import { makePrivateDir, readJsonIfThere } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { libc } from "../host/libc.ts";
import { identify } from "../host/processes.ts";
import { type Part, runInTurns, soon, type Turns } from "../host/turn.ts";
import { crashPoint } from "../planted.ts";
import { parse, type SchemaName } from "../schema/validate.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import type { FromWorker, ToWorker } from "../schema/worker_message.ts";
import { type Frameable, Prepared } from "../wire/codec.ts";
import { type KeptLink, keepLink, type Link, unknownMessage, workerSelf } from "../wire/link.ts";
import type { Surroundings } from "./command.ts";
import { ContainerKeeper } from "./container_keeper.ts";
import type { Now, WorkerEffect, WorkerEvent, WorkerRecord } from "./decision.ts";
import { EndpointAddress } from "./endpoint_address.ts";
import { baseEnvironment } from "./environment.ts";
import type { ChunkOrder } from "./followers.ts";
import { initialEnvironment } from "./initial_environment.ts";
import { killLeftovers, leaveTrace } from "./leftovers.ts";
import { type NodeResources, nodeResources, thisNode } from "./node_resources.ts";
import { sharingOf } from "./placement.ts";
import { RunningTasks } from "./running.ts";
import { Spool } from "./spool.ts";
import { WorkerState } from "./state.ts";
import { Watching } from "./watching.ts";

/** A worker that runs. */
export interface Worker {
  /** Resolves when it has left; rejects when it could not keep its word and stopped. */
  readonly done: Promise<void>;
  /** A child process has ended (SIGCHLD). */
  childEnded(): void;
  /** Ends what runs and leaves (SIGTERM): results stay in the spool. */
  leave(): void;
}

const schemas: { readonly [kind in ToWorker["t"]]: SchemaName } = {
  run: "worker_run",
  result_ack: "worker_result_ack",
  cancel: "worker_cancel",
  signal: "worker_signal",
  follow: "worker_follow",
  input: "worker_input",
  resize: "worker_resize",
  stop: "worker_stop",
};

/** How long a worker that has lost the network goes through the folder of its block before it looks for it again. */
const detour_ms = 300_000;
/** While the link is down: is the endpoint's socket a new one, is our directory still there? */
const lookEvery_ms = 500;

/**
 * Starts the worker of directory `dir`.
 * @throws GcError when its file is missing or wrong, or its spool is damaged.
 */
export async function startWorker(dir: string, host: Host): Promise<Worker> {
  const value = readJsonIfThere(join(dir, "worker.json"));
  if (value === undefined) throw new GcError("missing", "worker.no_file", `There is no worker.json in "${dir}"`);
  const file = parse("worker_file", value, "worker file");
  makePrivateDir(file.sandboxes);
  makePrivateDir(file.outputs);
  const own = identify(process.pid) ?? { pid: process.pid, starttime: "", boot_id: "" };
  await killLeftovers(dir, host);
  const node = host.env.SLURMD_NODENAME ?? host.hostname;
  leaveTrace(dir, { ...own, worker_id: file.id, sandboxes: file.sandboxes, outputs: file.outputs, node });
  const soft = Number(host.env.GC_NOFILE_SOFT);
  if (soft > 0) libc()?.setSoftNofile(soft);
  const plain = baseEnvironment(host.env, file.env);
  const env = file.init === undefined ? plain : await initialEnvironment(file.init, plain);
  return new WorkerDaemon(dir, file, env, host);
}

class WorkerDaemon implements Worker, Part<WorkerEvent, WorkerRecord, WorkerEffect> {
  readonly done: Promise<void>;
  readonly #dir: string;
  readonly #file: WorkerFile;
  readonly #host: Host;
  readonly #spool: Spool;
  readonly #state: WorkerState;
  readonly #turns: Turns<WorkerEvent>;
  readonly #tasks: RunningTasks;
  readonly #watching: Watching;
  readonly #kept: KeptLink;
  #link: Link | undefined;
  #cancelWake: (() => void) | undefined;
  #cancelGather: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #socketSeen = "";
  #left = false;
  #leave: () => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(dir: string, file: WorkerFile, env: { readonly [name: string]: string }, host: Host) {
    this.#dir = dir;
    this.#file = file;
    this.#host = host;
    this.done = new Promise((resolve, reject) => {
      this.#leave = resolve;
      this.#fail = reject;
    });
    this.#spool = new Spool(dir, () => host.clock.monotonic());
    const { slots, prefetch, resources } = file;
    const { finished } = this.#spool.content();
    const node = nodeResources(thisNode(host.env, host.hostname));
    const sharing = sharingOf(file, node, host.log);
    const facts = { host: host.hostname, pid: process.pid, slots, prefetch, resources, sharing };
    this.#state = new WorkerState(facts, finished);
    this.#turns = runInTurns<WorkerEvent, WorkerRecord, WorkerEffect>(this, soon, (error) => this.#fail(error));
    const push = (event: WorkerEvent): void => this.#turns.push(event);
    const { id: worker_id, sandboxes, outputs } = file;
    const places = { worker_id, sandboxes, outputs, monotonic: () => host.clock.monotonic() };
    const programs = {
      dir,
      hostname: host.hostname,
      cores: resources.cores ?? node.cores,
      settings: file.mpi ?? {},
      env,
    };
    this.#tasks = new RunningTasks(host, surroundings(dir, file, env, node), places, programs, push);
    for (const { tid, attempt, result } of finished) this.#tasks.remember(tid, attempt, result);
    this.#watching = new Watching(
      host.clock,
      (key) => this.#tasks.sizes(key),
      (key, stdout, stderr) => push({ t: "grown", key, stdout, stderr }),
    );
    this.#kept = this.#openLink();
  }

  childEnded(): void {
    this.#tasks.childEnded();
  }

  leave(): void {
    this.#host.log.info("worker.asked_to_leave");
    this.#turns.push({ t: "leave", how: "now", now: this.#now() });
  }

  decide(event: WorkerEvent, out: { records: WorkerRecord[]; effects: WorkerEffect[] }): void {
    this.#state.decide(event, out);
  }

  /** What cannot be stored now stays queued in the spool; whatever rests on it is held back by `perform`. */
  keep(records: readonly WorkerRecord[]): void {
    const worked = this.#spool.works;
    const error = this.#spool.keep(records);
    if (error !== undefined && worked) this.#host.log.error("spool.cannot_store", { why: error.message });
    this.#spool.compactIfLarge(
      () => this.#state.running(),
      () => this.#state.unacknowledged(),
    );
  }

  perform(effects: readonly WorkerEffect[]): void {
    const messages: Frameable[] = [];
    for (const effect of effects) this.#act(effect, messages);
    if (messages.length > 0) this.#link?.send(messages);
    if (this.#left) this.#finish();
  }

  #act(effect: WorkerEffect, messages: Frameable[]): void {
    switch (effect.t) {
      case "send":
        messages.push(...(effect.messages as unknown as Frameable[]));
        return;
      case "report":
        return this.#report(effect, messages);
      case "start":
        return this.#start(effect);
      case "signal":
        return this.#tasks.signal(effect.key, effect.signal, effect.scope);
      case "collect":
        return this.#tasks.collect(effect.key);
      case "input":
        return this.#tasks.input(effect.key, effect.bytes, effect.end);
      case "resize":
        return this.#tasks.resize(effect.key, effect.columns, effect.rows);
      case "watch":
        if (effect.on) this.#tasks.followed(effect.key);
        return this.#watching.watch(effect.key, effect.on);
      case "chunk":
        messages.push(this.#chunk(effect.order) as unknown as Frameable);
        return;
      case "forget":
        return this.#forget(effect);
      case "wake": {
        this.#cancelWake?.();
        const delay_ms = Math.max(effect.at_ms - this.#host.clock.monotonic(), 0);
        const tick = (): void => this.#turns.push({ t: "tick", now: this.#now() });
        this.#cancelWake = this.#host.clock.after(delay_ms, tick);
        return;
      }
      case "gather":
        this.#cancelGather?.();
        this.#cancelGather = this.#host.clock.after(effect.delay_ms, () => this.#turns.push({ t: "flush" }));
        return;
      case "try_storage": {
        const works = this.#spool.sync() === undefined;
        if (works) this.#host.log.info("spool.stores_again");
        return this.#turns.push(works ? { t: "storage_works" } : { t: "unsafe", finished: [] });
      }
      case "exit":
        this.#left = this.#spool.works;
        return;
      default:
        return unreachable(effect);
    }
  }

  #report(effect: Extract<WorkerEffect, { t: "report" }>, messages: Frameable[]): void {
    const { started, finished, hurry } = effect;
    const said = `{"t":"report","started":${JSON.stringify(started)},"finished":${this.#spool.textOf(finished)}}`;
    const report = new Prepared("report", said);
    if (finished.length === 0) {
      messages.push(report);
      return;
    }
    if (hurry || this.#spool.fast) {
      if (this.#spool.sync() !== undefined) return this.#turns.push({ t: "unsafe", finished });
      crashPoint("worker.before_report");
      messages.push(report);
      return;
    }
    this.#spool.syncLater((error) => {
      if (error !== undefined) return this.#turns.push({ t: "unsafe", finished });
      crashPoint("worker.before_report");
      this.#link?.send([report]);
    });
  }

  #start(effect: Extract<WorkerEffect, { t: "start" }>): void {
    const { key } = effect;
    if (!this.#spool.works) {
      this.#turns.push({ t: "start_held", key });
      return;
    }
    crashPoint("worker.before_start");
    if (this.#file.simulate === true) {
      const nothing = { total: 0, kept: 0 };
      const harvest = { stdout: nothing, stderr: nothing };
      this.#turns.push({ t: "ended", key, exit: { code: 0, signal: null }, harvest, now: this.#now() });
      return;
    }
    this.#tasks.start(effect);
    crashPoint("worker.after_start");
  }

  #chunk(order: ChunkOrder): FromWorker {
    const { sid, tid, stream, offset, end } = order;
    if (order.bytes === 0) return { t: "chunk", sid, tid, stream, offset, end };
    return { t: "chunk", sid, tid, stream, offset, end, bytes: [this.#tasks.read(order)] };
  }

  #forget({ tid, attempt, failed }: Extract<WorkerEffect, { t: "forget" }>): void {
    this.#tasks.forget(tid, attempt, failed && this.#file.keep_sandboxes === true);
  }

  #openLink(): KeptLink {
    const { id, secret, link } = this.#file;
    const instance = Buffer.from(this.#host.random.bytes(16)).toString("hex");
    const address = new EndpointAddress(link);
    return keepLink(
      () => address.next(this.#host.clock.monotonic()),
      workerSelf(id, secret, { instance }),
      {
        up: (up) => {
          this.#link = up;
          address.arrived();
          if (address.isDetour) this.#host.clock.after(detour_ms, () => up.close("looks for the network again"));
          this.#cancelLook?.();
          this.#cancelLook = undefined;
          this.#host.log.info("worker.connected", { session: up.session });
          this.#turns.push({ t: "up" });
        },
        messages: (from, messages) => this.#hear(from, messages),
        down: (was, reason) => {
          if (was === undefined) return;
          this.#link = undefined;
          this.#host.log.info("worker.disconnected", { why: reason.message });
          this.#turns.push({ t: "down" });
        },
        waiting: () => {
          this.#socketSeen = socketIdentity(link.path);
          this.#cancelLook ??= this.#host.clock.after(lookEvery_ms, () => this.#look());
        },
      },
      this.#host,
    );
  }

  /** A new socket means a new endpoint: no need to wait for the next attempt. No directory means no endpoint, ever. */
  #look(): void {
    this.#cancelLook = undefined;
    if (this.#link !== undefined) return;
    if (!fs.existsSync(this.#dir)) {
      this.#host.log.warn("worker.orphaned", { dir: this.#dir });
      this.#turns.push({ t: "leave", how: "drain", now: this.#now() });
      return;
    }
    const now = socketIdentity(this.#file.link.path);
    if (now !== "" && now !== this.#socketSeen) this.#kept.retryNow();
    this.#socketSeen = now;
    this.#cancelLook = this.#host.clock.after(lookEvery_ms, () => this.#look());
  }

  #hear(link: Link, messages: Frameable[]): void {
    const known: ToWorker[] = [];
    for (const message of messages) {
      if (!Object.hasOwn(schemas, message.t)) {
        if (message.t !== "error") link.send([unknownMessage(message) as Frameable]);
        continue;
      }
      try {
        parse(schemas[message.t as ToWorker["t"]], message, `message "${message.t}" of the endpoint`);
        known.push(message as unknown as ToWorker);
      } catch (error) {
        this.#host.log.error("worker.malformed_message", { kind: message.t, why: messageOf(error) });
        return link.close("malformed message");
      }
    }
    if (known.length > 0) this.#turns.push({ t: "messages", messages: known, now: this.#now() });
  }

  #finish(): void {
    this.#left = false;
    this.#cancelWake?.();
    this.#cancelGather?.();
    this.#cancelLook?.();
    this.#watching.stop();
    this.#kept.stop();
    this.#tasks.close();
    this.#spool.close();
    this.#host.log.info("worker.leaves");
    this.#leave();
  }

  #now(): Now {
    return { wall_ms: this.#host.clock.now(), mono_ms: this.#host.clock.monotonic() };
  }
}

function surroundings(
  dir: string,
  file: WorkerFile,
  env: { readonly [name: string]: string },
  { accelerator_kind }: NodeResources,
): Surroundings {
  const containers = file.container === undefined ? undefined : new ContainerKeeper(file.container, dir, env);
  const added = Object.keys(file.env);
  return { env: { ...env }, added, accelerator_kind, containers, python: file.python };
}

/** Changes when another socket is made at a path; empty when there is none. */
function socketIdentity(path: string): string {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.ino} ${found.ctimeMs}`;
}
