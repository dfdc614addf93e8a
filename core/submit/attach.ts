/**
 * A client that is attached to one running task: its output comes out here, our input goes in there, signals and the
 * size of the terminal follow. Connections may come and go meanwhile. Decisions are in `follow.ts` and `input.ts`.
 */
import type { Clock } from "../host/host.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { Result } from "../schema/result.ts";
import type { WorkerSignal } from "../schema/worker_message.ts";
import type { TaskId } from "../task/id.ts";
import type { Client } from "./client.ts";
import { bytesOf, Follow, type StreamName } from "./follow.ts";
import { Input } from "./input.ts";
import type { Heard } from "./intake.ts";

/** The near ends of the streams. */
export interface Ends {
  /** Writes bytes; resolves when they are written. Rejects when nobody reads any more. */
  write(stream: StreamName, bytes: Uint8Array): Promise<void>;
  /** The next piece of input; undefined at its end. Absent when the task gets no input from here. */
  read?(): Promise<Uint8Array | undefined>;
}

/** How the output ended: all of it was written, or `missing` bytes of it could not be had. */
export interface Ended {
  missing: number;
}

/** Time without a new byte after which what is missing of a finished task's output is given up. */
const ordinaryPatience_ms = 30_000;

export class Attachment {
  private readonly follow: Follow;
  private readonly input: Input | undefined;
  private following = false;
  private typing = false;
  private reading = false;
  private stopped = false;
  private stopTimer: (() => void) | undefined;
  private writing: Promise<void> = Promise.resolve();
  private failure: unknown;
  private heard_ms: number;
  private wake: (() => void) | undefined;
  private readonly client: Client;
  private readonly endpoint: KeyRecord;
  private readonly tid: TaskId;
  private readonly ends: Ends;
  private readonly clock: Clock;
  private readonly onLive = (heard: Heard): void => this.hear(heard);
  private readonly onUp = (): void => this.linkUp();

  constructor(client: Client, endpoint: KeyRecord, tid: TaskId, ends: Ends, clock: Clock) {
    this.client = client;
    this.endpoint = endpoint;
    this.tid = tid;
    this.ends = ends;
    this.clock = clock;
    this.follow = new Follow(tid, tid.slice(0, 18));
    this.input = ends.read === undefined ? undefined : new Input(tid);
    this.heard_ms = clock.monotonic();
    client.onLive.add(this.onLive);
    client.onUp.add(this.onUp);
  }

  /** Asks for output from where we are. Without it nothing is asked, and a short task's output comes with its
   * result. */
  startFollowing(): void {
    if (this.following || this.stopped) return;
    this.following = true;
    this.tick();
  }

  /** Sends what is typed or piped in. To be called once the endpoint has the task. */
  startTyping(): void {
    if (this.typing || this.input === undefined || this.stopped) return;
    this.typing = true;
    this.startReading();
    this.tick();
  }

  /** Reads ahead of `startTyping`, a window at most. */
  startReading(): void {
    if (this.reading || this.input === undefined) return;
    this.reading = true;
    void this.readOn();
  }

  /** Delivers a signal to the task, which goes on if it likes. False when there is no link. */
  signal(signal: WorkerSignal["signal"]): boolean {
    return this.client.say(this.endpoint, [{ t: "signal", tid: this.tid, signal }]);
  }

  resize(columns: number, rows: number): void {
    this.client.say(this.endpoint, [{ t: "resize", tid: this.tid, columns, rows }]);
  }

  /** Resolves when `stream` has nothing to write, or rejects with why it could not be written. */
  async written(): Promise<void> {
    await this.writing;
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Writes the rest of the output of a task that has ended. Rejects when nobody reads any more.
   * @param patience_ms time without a new byte after which the missing rest is given up.
   */
  async finish(result: Result, patience_ms = ordinaryPatience_ms): Promise<Ended> {
    this.heard_ms = this.clock.monotonic();
    while (!this.follow.complete(result) && this.failure === undefined) {
      const rest = this.follow.rest(result);
      if (rest !== undefined) {
        this.stop();
        this.write("stdout", rest.stdout);
        this.write("stderr", rest.stderr);
        break;
      }
      if (this.follow.ended() || this.clock.monotonic() - this.heard_ms >= patience_ms) return this.giveUp(result);
      this.startFollowing();
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.stop();
    await this.written();
    return { missing: 0 };
  }

  /** Lets go of the task, which goes on. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.stopTimer?.();
    this.client.onLive.delete(this.onLive);
    this.client.onUp.delete(this.onUp);
    if (this.following) this.client.say(this.endpoint, [this.follow.stop()]);
  }

  private async giveUp(result: Result): Promise<Ended> {
    this.stop();
    let missing = 0;
    for (const name of ["stdout", "stderr"] as const) {
      const gap = result[name].total - result[name].kept - this.follow.passed(name);
      if (gap > 0) missing += gap;
      const rest = bytesOf(result[name]);
      this.write(
        name,
        gap > 0 ? rest : rest.subarray(rest.byteLength - (result[name].total - this.follow.passed(name))),
      );
    }
    await this.written();
    return { missing };
  }

  private hear({ from, message }: Heard): void {
    if (from !== this.endpoint.id || !("tid" in message) || message.tid !== this.tid) return;
    if (message.t === "chunk") {
      const fresh = this.follow.take(message, this.clock.now());
      if (fresh !== undefined) {
        this.heard_ms = this.clock.monotonic();
        this.write(message.stream, fresh);
      }
      this.wake?.();
    } else if (this.input !== undefined) {
      this.input.acknowledge(message.offset, message.closed, this.clock.now());
      this.sendInput(false);
      void this.readOn();
    }
    this.setTimer();
  }

  private write(name: StreamName, bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.writing = this.writing
      .then(async () => {
        if (this.failure !== undefined) return;
        await this.ends.write(name, bytes);
        if (this.follow.wrote(name, bytes.byteLength) && !this.stopped) {
          this.client.say(this.endpoint, [this.follow.acknowledge()]);
        }
      })
      .catch((error) => {
        this.failure ??= error;
        this.wake?.();
        for (const told of this.onBroken) told(error);
      });
  }

  /** Told once when output can no longer be written. */
  readonly onBroken = new Set<(error: unknown) => void>();

  private busy = false;

  private async readOn(): Promise<void> {
    const { input } = this;
    if (this.busy || input === undefined || this.ends.read === undefined) return;
    this.busy = true;
    while (input.wanted && !this.stopped) {
      const piece = await this.ends.read().catch(() => undefined);
      if (piece === undefined) input.end();
      else input.push(piece);
      this.sendInput(false);
      this.setTimer();
    }
    this.busy = false;
  }

  private sendInput(again: boolean): void {
    if (!this.typing || this.input === undefined || this.stopped || !this.client.up) return;
    const messages = this.input.send(this.clock.now(), again);
    if (messages.length > 0) this.client.say(this.endpoint, messages);
  }

  private linkUp(): void {
    this.follow.restart();
    this.input?.restart();
    this.tick();
  }

  private tick(): void {
    if (this.stopped) return;
    const now_ms = this.clock.now();
    if (this.client.up) {
      if (this.following && this.follow.dueAt_ms <= now_ms) this.client.say(this.endpoint, this.follow.ask(now_ms));
      if (this.input !== undefined && this.input.dueAt_ms <= now_ms) this.sendInput(true);
      else this.sendInput(false);
    }
    this.wake?.();
    this.setTimer();
  }

  private setTimer(): void {
    this.stopTimer?.();
    if (this.stopped) return;
    const due_ms = Math.min(
      this.following ? this.follow.dueAt_ms : Number.POSITIVE_INFINITY,
      this.typing && this.input !== undefined ? this.input.dueAt_ms : Number.POSITIVE_INFINITY,
    );
    if (due_ms === Number.POSITIVE_INFINITY) return;
    // While there is no link nothing is due before it is up; a slow look keeps `finish` able to give up.
    const delay_ms = this.client.up ? Math.max(1, due_ms - this.clock.now()) : 1000;
    this.stopTimer = this.clock.after(delay_ms, () => this.tick());
  }
}
