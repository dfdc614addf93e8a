/**
 * Where workers are started, met and buried: the acting side of `staff.ts`. A worker is a process of its own that
 * outlives this one; its folder holds its secret, its spool and the identity of its process.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { GcError, messageOf } from "../errors.ts";
import {
  makePrivateDir,
  readJsonIfThere,
  readTextIfThere,
  removeIfThere,
  removeTree,
  writeJson,
} from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { alive, identify, type ProcessIdentity, spawnDetached } from "../host/processes.ts";
import { selfArgv } from "../host/self.ts";
import type { ReachWay } from "../schema/batch_engine.ts";
import { fits, parse, type SchemaName } from "../schema/validate.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import type { FromWorker, ToWorker } from "../schema/worker_message.ts";
import type { Frameable } from "../wire/codec.ts";
import {
  checkWorkerProof,
  type Link,
  type Listening,
  listen,
  listenToMailboxes,
  unknownMessage,
} from "../wire/link.ts";
import { killLeftovers } from "../worker/leftovers.ts";
import { readSpool } from "../worker/spool.ts";
import type { EndpointEvent } from "./decision.ts";
import type { OwnDoor } from "./door.ts";
import { nodeFell } from "./fallen_node.ts";

/** Where the workers of a batch engine live, and where they knock. */
export interface BatchLodging {
  door: OwnDoor;
  /** How they reach us; without "direct" nothing listens on the network. */
  reach: readonly ReachWay[];
  /** Folders of living blocks in which workers may leave messages. */
  mailboxes: () => Iterable<string>;
  /** The folder of a block; undefined when it is none of ours any more. */
  blockDir: (block: string) => string | undefined;
}

/** What all workers of this endpoint have in common. */
export interface HallSettings {
  endpoint_id: string;
  boot: string;
  /** Folder with one folder per worker. */
  dir: string;
  socket: string;
  /** Undefined: workers are processes of this machine. */
  batch?: BatchLodging;
  /** What the files of all workers of this machine say. */
  worker: Omit<WorkerFile, "v" | "id" | "endpoint_id" | "link" | "secret">;
}

/** A worker that is not heard of is looked at again after this time, longer each time. */
const lookAgain_ms = [50, 200, 500, 2000, 5000] as const;
/**
 * A worker whose process never wrote down who it is counts as never started after this time. One that comes later finds
 * its key gone and ends, so waiting longer would only leave tasks without a worker.
 */
const neverStarted_ms = 3000;
const logTailBytes = 2000;

const schemas: { readonly [t: string]: SchemaName } = {
  ready: "worker_ready",
  report: "worker_report",
  chunk: "worker_chunk",
  input_ack: "worker_input_ack",
  leaving: "worker_leaving",
};

/** The workers of one endpoint, as processes and links. */
export class Hall {
  private readonly settings: HallSettings;
  private readonly host: Host;
  private readonly push: (event: EndpointEvent) => void;
  private readonly links = new Map<string, Link>();
  private readonly ready = new Set<Link>();
  private readonly spawned = new Map<string, { identity: ProcessIdentity | undefined; at_ms: number }>();
  private readonly examined = new Set<string>();
  private readonly listening: Listening[] = [];
  private closed = false;

  constructor(settings: HallSettings, host: Host, push: (event: EndpointEvent) => void) {
    this.settings = settings;
    this.host = host;
    this.push = push;
  }

  /** Opens the door. `known`: workers of the journal; folders of others are leftovers. */
  async open(known: Iterable<string>): Promise<void> {
    makePrivateDir(this.settings.dir);
    makePrivateDir(this.settings.worker.outputs);
    const { endpoint_id: id, boot: epoch, batch } = this.settings;
    if (batch === undefined) {
      makePrivateDir(this.settings.worker.sandboxes);
      const keep = new Set(known);
      for (const name of fs.readdirSync(this.settings.dir)) {
        if (!keep.has(name)) removeTree(join(this.settings.dir, name));
      }
    }
    const acceptor = {
      id,
      epoch,
      limits: {},
      features: [],
      admit: (auth: Parameters<typeof checkWorkerProof>[0], hello: Parameters<typeof checkWorkerProof>[1]) => {
        checkWorkerProof(auth, hello, this.secretOf(auth.id));
        return { role: "worker", id: auth.id, instance: auth.instance, local: batch === undefined } as const;
      },
    };
    const events = {
      up: () => {},
      messages: (link: Link, messages: Frameable[]) => this.messages(link, messages),
      down: (link: Link | undefined) => this.down(link),
    };
    if (batch === undefined) {
      this.listening.push(await listen({ unix: this.settings.socket }, acceptor, events, this.host));
      return;
    }
    const { door, reach, mailboxes } = batch;
    if (reach.includes("shared")) {
      this.listening.push(await listenToMailboxes(mailboxes, acceptor, events, this.host));
    }
    if (!reach.includes("direct")) return;
    const at = (port: number) => ({ hostname: "0.0.0.0", port, tls: door.tls });
    let listening: Listening;
    try {
      listening = await listen(at(door.port), acceptor, events, this.host);
    } catch (error) {
      // Somebody else has the port of the last start by now; workers read the new one from the file.
      if (door.port === 0) throw error;
      listening = await listen(at(0), acceptor, events, this.host);
    }
    this.listening.push(listening);
    door.opened(listening.port ?? 0);
  }

  send(worker: string, messages: ToWorker[]): void {
    const link = this.links.get(worker);
    if (link !== undefined && this.ready.has(link)) link.send(messages as Frameable[]);
  }

  /** Starts the process of a worker that is in the journal already. */
  start(worker: string): void {
    const dir = this.dirOf(worker);
    const { endpoint_id, socket, worker: common } = this.settings;
    try {
      makePrivateDir(dir);
      const secret = Buffer.from(this.host.random.bytes(32)).toString("base64url");
      const file: WorkerFile = {
        v: 1,
        id: worker,
        endpoint_id,
        link: { kind: "unix", path: socket },
        secret,
        ...common,
      };
      writeJson(join(dir, "worker.json"), file);
      const env: { [name: string]: string } = {};
      for (const [name, value] of Object.entries(this.host.env)) if (value !== undefined) env[name] = value;
      const argv = [...selfArgv(), "__worker", dir];
      const pid = spawnDetached(argv, { log_path: join(dir, "worker.log"), env, cwd: dir });
      this.spawned.set(worker, { identity: identify(pid), at_ms: this.host.clock.monotonic() });
      this.host.log.info("worker.started", { worker, pid });
    } catch (error) {
      this.host.log.error("worker.cannot_start", { worker, reason: messageOf(error) });
    }
    this.examine(worker);
  }

  /** Watches a worker that does not answer until it does, or until its process is proved dead and it can be buried. */
  examine(worker: string): void {
    if (this.examined.has(worker)) return;
    this.examined.add(worker);
    const since_ms = this.host.clock.monotonic();
    let look = 0;
    const again = (): void => {
      if (this.closed || this.links.has(worker) || this.isForgotten(worker)) {
        this.examined.delete(worker);
        return;
      }
      const dead = this.isDead(worker, since_ms);
      if (dead) {
        void this.bury(worker);
        return;
      }
      this.host.clock.after(lookAgain_ms[Math.min(look++, lookAgain_ms.length - 1)] ?? 5000, again);
    };
    again();
  }

  /** Its block is over, and so is it, whatever it says. */
  buryNow(worker: string, blame: boolean, reason: string): void {
    this.links.get(worker)?.close("its block is over");
    void this.bury(worker, reason, blame);
  }

  /** A worker is in the journal as buried: its folder can go. */
  remove(worker: string): void {
    this.spawned.delete(worker);
    // The folder of a worker of a block goes with that of the block.
    if (this.settings.batch === undefined) removeTree(this.dirOf(worker));
  }

  /** Whether any worker process still lives. */
  async close(): Promise<void> {
    this.closed = true;
    for (const link of this.links.values()) link.close("endpoint stops");
    for (const listening of this.listening) await listening.close();
  }

  private messages(link: Link, messages: Frameable[]): void {
    const worker = link.peer.id;
    for (const message of messages) {
      const schema = schemas[message.t];
      if (schema === undefined) {
        link.send([unknownMessage(message) as Frameable]);
        continue;
      }
      if (!fits(schema, message)) {
        this.host.log.error("worker.malformed", { worker, kind: message.t });
        return link.close("malformed message");
      }
      this.take(link, worker, message as unknown as FromWorker);
    }
  }

  private take(link: Link, worker: string, message: FromWorker): void {
    const now_ms = this.host.clock.now();
    if (message.t === "ready") {
      const old = this.links.get(worker);
      this.links.set(worker, link);
      this.ready.add(link);
      if (old !== undefined && old !== link) old.close("the worker opened another link");
      const block = this.settings.batch === undefined ? {} : { block: blockOf(worker) };
      return this.push({ t: "worker_up", worker, ready: message, ...block, now_ms });
    }
    if (this.links.get(worker) !== link) return;
    if (message.t === "report") return this.push({ t: "report", worker, report: message, now_ms });
    this.push({ t: "from_worker", worker, message });
  }

  private down(link: Link | undefined): void {
    if (link === undefined) return;
    this.ready.delete(link);
    const worker = link.peer.id;
    if (this.links.get(worker) !== link) return;
    this.links.delete(worker);
    this.push({ t: "worker_down", worker, now_ms: this.host.clock.now() });
  }

  /** Takes its key away first, so that a process that comes late cannot do anything; then reads what it left. */
  private async bury(worker: string, known?: string, blame = true): Promise<void> {
    try {
      const dir = this.dirOf(worker);
      const reason = known ?? this.lastWords(dir);
      removeIfThere(join(dir, "worker.json"));
      await killLeftovers(dir, this.host);
      const { started, finished } = readSpool(dir);
      this.push({ t: "buried", worker, started, finished, reason, blame, now_ms: this.host.clock.now() });
      this.examined.delete(worker);
    } catch (error) {
      // Without its spool nothing may be concluded: try again, and say so.
      this.host.log.error("worker.cannot_bury", { worker, reason: messageOf(error) });
      this.host.clock.after(10_000, () => {
        this.examined.delete(worker);
        if (!this.closed) this.examine(worker);
      });
    }
  }

  /**
   * On this machine its process tells; of a worker elsewhere only its own last note is proof, or the end of its node or
   * of its block.
   */
  private isDead(worker: string, since_ms: number): boolean {
    if (this.settings.batch !== undefined) {
      const dir = this.dirOf(worker);
      return fs.existsSync(join(dir, "left")) || nodeFell(dir);
    }
    const identity = this.identityOf(worker);
    if (identity !== undefined) return !alive(identity);
    return this.host.clock.monotonic() - since_ms > neverStarted_ms;
  }

  /** Its block is over, and it was buried with it: in the same turn its link may have gone down. */
  private isForgotten(worker: string): boolean {
    const { batch } = this.settings;
    return batch !== undefined && batch.blockDir(blockOf(worker)) === undefined;
  }

  private identityOf(worker: string): ProcessIdentity | undefined {
    const own = readJsonIfThere(join(this.dirOf(worker), "worker.pid.json")) as ProcessIdentity | undefined;
    return own ?? this.spawned.get(worker)?.identity;
  }

  private lastWords(dir: string): string {
    const log = (readTextIfThere(join(dir, "worker.log")) ?? "").slice(-logTailBytes).trim();
    return log === "" ? "its process ended" : `its process ended; last lines of its log: ${log}`;
  }

  private secretOf(worker: string): string {
    const file = /^[0-9a-f-]{36}$/.test(worker) ? readJsonIfThere(join(this.dirOf(worker), "worker.json")) : undefined;
    if (file === undefined) throw new GcError("permission", "worker.unknown", `There is no worker ${worker} here`);
    return parse("worker_file", file, "worker file").secret;
  }

  private dirOf(worker: string): string {
    const { batch, dir } = this.settings;
    if (batch === undefined) return join(dir, worker);
    const block = batch.blockDir(blockOf(worker));
    if (block !== undefined) return join(block, "workers", worker);
    throw new GcError("permission", "worker.unknown", `The worker ${worker} is of no block of this endpoint`);
  }
}

/** Workers of a block have ids that begin like its own. */
function blockOf(worker: string): string {
  return `${worker.slice(0, 28)}00000000`;
}
