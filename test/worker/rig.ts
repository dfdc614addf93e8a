/**
 * A real worker process with a stand-in for its endpoint, for tests: sends it messages, collects what it says, and
 * cleans up whatever happens. With `GC_TEST_BINARY=dist/gc` the worker is that executable instead of the sources.
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../core/host/host.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import { selfArgv } from "../../core/host/self.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { WorkerFile } from "../../core/schema/worker_file.ts";
import type { Chunk, FromWorker, InputAck, Ready, ToWorker } from "../../core/schema/worker_message.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { checkWorkerProof, type Link, type Listening, listen } from "../../core/wire/link.ts";

const secret = Buffer.alloc(32, 7).toString("base64url");
let made = 0;

export interface RigOptions {
  file?: Partial<WorkerFile>;
  env?: { [name: string]: string };
  /** Words before the worker's own command line, such as `["sh", "-c", 'ulimit …; exec "$@"', "sh"]`. */
  wrapper?: string[];
  /** Acknowledge every result at once (the default), or leave that to the test. */
  acknowledge?: boolean;
}

/** A fresh task id. */
export function newTid(): string {
  made += 1;
  return `aaaaaaaa-0000-8000-8000-${(process.pid * 100_000 + made).toString(16).padStart(12, "0")}`;
}

export class Rig {
  readonly dir: string;
  readonly host: Host;
  readonly results = new Map<string, Result>();
  readonly reports: { tid: string; attempt: number; result: Result }[] = [];
  readonly started: { tid: string; attempt: number }[] = [];
  readonly readies: Ready[] = [];
  readonly chunks: Chunk[] = [];
  readonly inputAcks: InputAck[] = [];
  worker: Bun.Subprocess | undefined;
  link: Link | undefined;
  acknowledge: boolean;
  #listening: Listening | undefined;
  readonly #options: RigOptions;
  readonly #waiters = new Set<() => void>();

  private constructor(options: RigOptions) {
    this.dir = fs.mkdtempSync(join(tmpdir(), "gc-worker-"));
    this.host = realHost(createLog(() => {}, "error", Date.now));
    this.#options = options;
    this.acknowledge = options.acknowledge ?? true;
  }

  /** A worker that has said that it is ready. */
  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    fs.mkdirSync(rig.path("w"), { mode: 0o700 });
    rig.writeFile();
    await rig.listen();
    rig.spawn();
    await rig.until(() => rig.readies.length > 0);
    return rig;
  }

  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  writeFile(): void {
    const file: WorkerFile = {
      v: 1,
      id: "w1",
      endpoint_id: "e1",
      link: { kind: "unix", path: this.path("s.sock") },
      secret,
      slots: 2,
      prefetch: 8,
      sandboxes: this.path("sandboxes"),
      outputs: this.path("outputs"),
      resources: {},
      env: {},
      ...this.#options.file,
    };
    fs.writeFileSync(this.path("w", "worker.json"), JSON.stringify(file), { mode: 0o600 });
  }

  async listen(): Promise<void> {
    this.#listening = await listen(
      { unix: this.path("s.sock") },
      {
        id: "e1",
        epoch: "1",
        limits: {},
        features: [],
        admit: (auth, hello) => {
          checkWorkerProof(auth, hello, secret);
          return { role: "worker", id: auth.id, instance: auth.instance, local: true };
        },
      },
      {
        up: (link) => {
          this.link = link;
        },
        messages: (_link, messages) => {
          for (const message of messages) this.#hear(message as unknown as FromWorker);
          this.#wake();
        },
        down: (link) => {
          if (link === this.link) this.link = undefined;
          this.#wake();
        },
      },
      this.host,
    );
  }

  /** The endpoint is gone, as after kill -9; `listen` brings it back. */
  async unlisten(): Promise<void> {
    this.link?.close();
    await this.#listening?.close();
    this.#listening = undefined;
  }

  spawn(): void {
    const env = { PATH: process.env.PATH ?? "", HOME: this.dir, ...this.#options.env };
    const log = fs.openSync(this.path("worker.log"), "a");
    const gc = process.env.GC_TEST_BINARY === undefined ? selfArgv() : [process.env.GC_TEST_BINARY];
    this.worker = Bun.spawn([...(this.#options.wrapper ?? []), ...gc, "__worker", this.path("w")], {
      env,
      cwd: this.dir,
      stdio: ["ignore", log, log],
      detached: true,
    });
    fs.closeSync(log);
  }

  send(...messages: ToWorker[]): void {
    if (this.link === undefined) throw new Error("The worker has no link");
    this.link.send(messages as unknown as Frameable[]);
  }

  /** Sends one task; returns its id. */
  submit(spec: TaskSpec, tid = newTid(), attempt = 1): string {
    this.send({ t: "run", lots: [{ base: spec, tasks: [{ tid, attempt }] }] });
    return tid;
  }

  /** Runs one task to its end. */
  async run(spec: TaskSpec): Promise<Result> {
    return this.result(this.submit(spec));
  }

  async result(tid: string): Promise<Result> {
    await this.until(() => this.results.has(tid));
    return this.results.get(tid) as Result;
  }

  async untilStarted(tid: string): Promise<void> {
    await this.until(() => this.started.some((item) => item.tid === tid));
  }

  /** Bytes of a stream that follower `sid` got so far, in the order of their offsets; throws for a gap or overlap. */
  followed(sid: string, stream: "stdout" | "stderr", from = 0): { bytes: Buffer; end: boolean } {
    let at = from;
    let end = false;
    const parts: Uint8Array[] = [];
    for (const chunk of this.chunks) {
      if (chunk.sid !== sid || chunk.stream !== stream) continue;
      if (chunk.offset !== at) throw new Error(`Chunk at ${chunk.offset}, expected ${at}`);
      const bytes = chunk.bytes?.[0] ?? new Uint8Array(0);
      parts.push(bytes);
      at += bytes.byteLength;
      end ||= chunk.end;
    }
    return { bytes: Buffer.concat(parts), end };
  }

  /** Resolves when `holds`, looked at whenever something comes, and every 20 ms for what happens elsewhere. */
  async until(holds: () => boolean, within_ms = 15_000): Promise<void> {
    const deadline = performance.now() + within_ms;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`Waited ${within_ms} ms in vain; log: ${this.log()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 20);
        const waiters = this.#waiters;
        waiters.add(done);
        function done(): void {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        }
      });
    }
  }

  log(): string {
    return fs.readFileSync(this.path("worker.log"), "utf8");
  }

  /** Ends the worker and all of its tasks, and removes its files. */
  async close(): Promise<void> {
    this.worker?.kill("SIGKILL");
    await this.worker?.exited;
    await this.unlisten();
    const { killLeftovers } = await import("../../core/worker/leftovers.ts");
    await killLeftovers(this.path("w"), this.host).catch(() => {});
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  #hear(message: FromWorker): void {
    switch (message.t) {
      case "ready":
        this.readies.push(message);
        return;
      case "report":
        this.started.push(...message.started);
        for (const { tid, attempt, result } of message.finished) {
          this.results.set(tid, result);
          this.reports.push({ tid, attempt, result });
        }
        if (this.acknowledge && message.finished.length > 0) {
          this.send({ t: "result_ack", done: message.finished.map(({ tid, attempt }) => ({ tid, attempt })) });
        }
        return;
      case "chunk":
        this.chunks.push({ ...message, bytes: (message.bytes ?? []).map((bytes) => new Uint8Array(bytes)) });
        return;
      case "input_ack":
        this.inputAcks.push(message);
    }
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}
