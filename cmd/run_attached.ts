/**
 * One task with its streams, signals and exit code tied to this process. The shortest way is the usual one: hand it
 * over and watch; if its result is there before anybody asked for output, the output comes out of the result.
 */
import { exitCodeByKind, GcError, messageOf } from "../core/errors.ts";
import type { Result } from "../core/schema/result.ts";
import type { TaskSpec } from "../core/schema/task.ts";
import { Attachment } from "../core/submit/attach.ts";
import type { Fate } from "../core/submit/client.ts";
import type { FoundEndpoint } from "../core/submit/endpoint_lookup.ts";
import type { StreamName } from "../core/submit/follow.ts";
import type { EnvelopeId, PrincipalId, TaskId } from "../core/task/id.ts";
import { fromWireError } from "../core/wire/link.ts";
import type { Cli } from "./cli.ts";
import { ReaderGone } from "./output.ts";
import { Interrupts } from "./run_signals.ts";
import { tellWhyItWaits } from "./run_waiting.ts";
import { writeFully } from "./streams.ts";
import { batchOf, type SubmitWish } from "./task_batch.ts";
import { TaskDesk } from "./task_desk.ts";
import { type TaskInput, takeInput } from "./task_input.ts";
import type { RawTerminal } from "./terminal.ts";

interface AttachWish extends SubmitWish {
  tty?: boolean;
  interactive?: boolean;
  input?: boolean;
  stdin?: string;
  detachOnInterrupt?: boolean;
}

/** Output is asked for when a task runs longer than this; a shorter one's comes with its result. */
const followAfter_ms = 20;
/** A task that its endpoint has not taken for so long is promised to outlive a power cut. */
const promiseAfter_ms = 500;
/** A task that its endpoint has not taken for so long is explained. */
const sayWaitingAfter_ms = 1000;
/** How long an exiting command tries to send its receipt. Without it the result is only kept longer. */
const receiptWait_ms = 500;

/** Runs a task in the foreground. Returns the exit code of this process. */
export async function runAttached(cli: Cli, spec: TaskSpec, wish: AttachWish): Promise<number> {
  const desk = new TaskDesk(cli, true);
  const terminal = wish.tty === true ? (await import("./terminal.ts")).openTerminal(cli) : undefined;
  try {
    await turnOfTheLoop();
    const from = { none: wish.input === false, typed: wish.tty === true || wish.interactive === true };
    const [endpoint, input] = await Promise.all([
      desk.endpoint(wish.endpoint),
      takeInput(wish.stdin === undefined ? from : { ...from, file: wish.stdin }),
    ]);
    desk.client.prepare(endpoint.record);
    await turnOfTheLoop();
    const attached: TaskSpec = {
      ...spec,
      attach: true,
      stdin: input.stdin,
      ...(terminal === undefined ? {} : { tty: terminal.size() }),
    };
    return await new AttachedRun(cli, desk, endpoint, input, terminal).run(attached, wish);
  } finally {
    terminal?.close();
    desk.close();
  }
}

/** Lets what the link has to say leave, or come in: the relay works on it while we go on. */
async function turnOfTheLoop(): Promise<void> {
  // Sockets are looked at between one immediate and the next.
  for (let times = 0; times < 2; times++) await new Promise((resolve) => setImmediate(resolve));
}

/** One attached run, from handing the task over to its exit code. */
class AttachedRun {
  private readonly cli: Cli;
  private readonly desk: TaskDesk;
  private readonly endpoint: FoundEndpoint;
  private readonly input: TaskInput;
  private readonly terminal: RawTerminal | undefined;
  private attachment: Attachment | undefined;
  private id = "" as EnvelopeId;
  private leave: (code: number | GcError) => void = () => {};
  private readonly left = new Promise<number | GcError>((resolve) => {
    this.leave = resolve;
  });
  private stopTelling: () => void = () => {};
  private stored = false;
  private accepted = false;

  constructor(cli: Cli, desk: TaskDesk, endpoint: FoundEndpoint, input: TaskInput, terminal: RawTerminal | undefined) {
    this.cli = cli;
    this.desk = desk;
    this.endpoint = endpoint;
    this.input = input;
    this.terminal = terminal;
  }

  async run(spec: TaskSpec, wish: AttachWish): Promise<number> {
    const { client } = this.desk;
    const batch = batchOf(this.desk, this.endpoint, spec, wish);
    // Before the task is kept: a signal must never leave one behind that nobody has heard of.
    const interrupts = new Interrupts(this.cli, this.steps(), wish.detachOnInterrupt === true);
    // Not promised: until something is said of the task, sending it does not wait for our own disk.
    const head = client.submit(this.endpoint.record, batch, (fate) => this.learn(fate), false);
    this.id = head.id as EnvelopeId;
    const deliveries = client.watch({ envelopes: [this.id] });
    if (this.desk.startsItself(this.endpoint)) {
      void this.desk.seeOnline(this.endpoint).catch((error) => this.leave(error));
    }
    client.flush();
    this.attach();
    // What earlier commands left behind goes out behind it.
    client.adoptWaiting();
    void this.watchRelay();
    setTimeout(() => this.promiseLate(), promiseAfter_ms);
    try {
      const first = await Promise.race([this.firstResult(deliveries), this.left]);
      if (first instanceof GcError) throw first;
      return typeof first === "number" ? first : await this.finish(first);
    } finally {
      interrupts.close();
      this.stopTelling();
      this.attachment?.stop();
    }
  }

  private async firstResult(deliveries: AsyncIterable<{ batches: { results?: Result[] }[]; expired: string[] }>) {
    for await (const delivery of deliveries) {
      for (const batch of delivery.batches) if (batch.results?.[0] !== undefined) return batch.results[0];
      if (delivery.expired.length > 0) {
        return new GcError("unavailable", "task.expired", `No endpoint took the task ${this.id} in time`);
      }
    }
    return new GcError("internal", "watch.ended", "The watch on the task ended without a result");
  }

  /** What became of the task on its way. */
  private learn(fate: Fate): void {
    if (typeof fate === "object") return this.leave(fromWireError(fate));
    if (fate === "withdrawn") return;
    this.stored = true;
    if (fate !== "accepted") {
      setTimeout(() => void this.sayWaiting(), sayWaitingAfter_ms);
      return;
    }
    this.accepted = true;
    const watched = this.cli.terminal.stderr && this.terminal === undefined;
    this.stopTelling = tellWhyItWaits(this.desk, this.endpoint, this.id as string as TaskId, watched);
    const { attachment } = this;
    if (attachment === undefined) return;
    attachment.startTyping();
    const soon = this.terminal !== undefined || this.input.read !== undefined;
    if (soon) attachment.startFollowing();
    else setTimeout(() => attachment.startFollowing(), followAfter_ms);
  }

  private promiseLate(): void {
    if (!this.accepted) this.desk.client.promise(this.id);
  }

  /** The relay has the task but its endpoint has not taken it: says so if that is because it is not there. */
  private async sayWaiting(): Promise<void> {
    if (this.accepted) return;
    const [row] = await this.desk.client.endpoints({ id: this.endpoint.record.id }).catch(() => []);
    if (row?.online === true || this.accepted || this.desk.startsItself(this.endpoint)) return;
    const { name } = this.endpoint;
    const start = this.endpoint.own ? `; to start it: gc endpoint start --detach ${name}` : "";
    this.cli.printer.note(`the endpoint "${name}" is not connected; the task waits at the relay until it is${start}`);
  }

  private attach(): void {
    const { client } = this.desk;
    const json = this.cli.printer.mode === "json";
    const read = this.input.read ?? undefined;
    const filtered =
      read === undefined || this.terminal === undefined ? read : this.terminal.filter(read, () => this.goAway(0));
    const ends = {
      write: (stream: StreamName, bytes: Uint8Array) =>
        json ? Promise.resolve() : writeFully(stream === "stdout" ? 1 : 2, bytes),
      ...(filtered === undefined ? {} : { read: filtered }),
    };
    const attachment = new Attachment(
      client,
      this.endpoint.record,
      this.id as string as TaskId,
      ends,
      this.cli.host.clock,
    );
    attachment.onBroken.add((error) => void this.readerGone(error));
    attachment.startReading();
    this.terminal?.onResize((columns, rows) => attachment.resize(columns, rows));
    this.attachment = attachment;
  }

  /** Nobody reads our output any more: the task is ended, as ssh would end it. */
  private async readerGone(error: unknown): Promise<void> {
    await this.within(this.cancel(), 2000);
    this.leave(this.unwritten(error));
  }

  /** The exit code when output cannot be written. The result is kept: no receipt was given. */
  private unwritten(error: unknown): number {
    if (error instanceof ReaderGone) return error.exit_code;
    this.cli.printer.warn(`${messageOf(error)}; to see it: gc logs ${this.id}`);
    return exitCodeByKind.io;
  }

  private async finish(result: Result): Promise<number> {
    const { client } = this.desk;
    if (this.attachment === undefined) throw new Error("There is a result but nothing is attached");
    let ended = { missing: 0 };
    try {
      ended = await this.attachment.finish(result);
    } catch (error) {
      return this.unwritten(error);
    }
    this.terminal?.close();
    if ((result.value ?? result.exception) !== undefined && this.cli.printer.mode !== "json") {
      try {
        await (await import("./python_call.ts")).writePythonEnd(result);
      } catch (error) {
        return this.unwritten(error);
      }
    }
    this.tell(result, ended.missing);
    const complete = ended.missing === 0;
    if (complete) {
      void client.receipt(this.id, this.endpoint.record.id as PrincipalId, [0]).catch(() => {});
      client.flush();
      // Not waited for: if it gets lost the result is kept longer, that is all. But it has to be sent.
      const limit = this.cli.host.clock.monotonic() + receiptWait_ms;
      // Frames leave behind the microtasks of now.
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      while (client.buffered() > 0 && this.cli.host.clock.monotonic() < limit) await turnOfTheLoop();
    }
    return result.outcome.exit_code;
  }

  /** Says what the exit code alone does not. */
  private tell(result: Result, missing: number): void {
    const { printer } = this.cli;
    if (printer.mode === "json") {
      printer.document("gc/result/v1", { id: this.id, endpoint_id: this.endpoint.record.id, ...result }, () => "");
      return;
    }
    const { outcome } = result;
    if (outcome.class !== "ok" && outcome.reason !== undefined) printer.warn(outcome.reason);
    if (missing > 0)
      printer.warn(`${missing} bytes of the output could not be fetched; what there is: gc logs ${this.id}`);
  }

  /** What Ctrl-C and other signals do at each step. */
  private steps() {
    return {
      /** First: the task is interrupted; one that has not begun is ended instead. */
      interrupt: (): void => {
        if (this.accepted && this.attachment?.signal("SIGINT") === true) return;
        void this.end();
      },
      cancel: (): void => void this.end(),
      leave: (code: number): void => this.goAway(code),
      terminate: (): void => {
        void this.end();
        setTimeout(() => this.leave(143), 15_000);
      },
      started: (): boolean => this.accepted,
    };
  }

  /** Ends the task, or takes it back while it has not left this machine. */
  private async end(): Promise<void> {
    if (!this.stored && (await this.desk.client.withdraw(this.id))) {
      this.cli.printer.note("the task had not been sent; it is dropped");
      this.leave(130);
      return;
    }
    await this.cancel();
  }

  private cancel(): Promise<void> {
    return this.desk.client.cancel(this.id, this.endpoint.record.id as PrincipalId, [0]).catch((error) => {
      this.cli.host.log.warn("cancel failed", { why: String(error) });
    });
  }

  /** Leaves the task to itself and says how to come back. */
  private goAway(code: number): void {
    this.terminal?.close();
    this.desk.client.promise(this.id);
    try {
      this.cli.printer.note(`the task goes on; to see it: gc logs -f ${this.id}   to end it: gc cancel ${this.id}`);
    } catch {
      // The terminal has gone: nobody is there to be told.
    }
    this.leave(code);
  }

  /** A relay that is not there, or takes no tasks: says so, and in the end leaves the task in the outbox. */
  private async watchRelay(): Promise<void> {
    const { putOff } = this.desk.putOff();
    try {
      await this.desk.connected();
    } catch (error) {
      return this.leaveWaiting(error instanceof GcError ? error : this.desk.away());
    }
    this.leaveWaiting(await putOff);
  }

  private leaveWaiting(why: GcError): void {
    if (this.stored) return;
    this.desk.client.promise(this.id);
    const words = `${why.message}; the task ${this.id} waits in the outbox and is sent by the next gc command`;
    const hint = `gc submit --flush, or to drop it: gc cancel ${this.id}`;
    this.leave(new GcError(why.kind, why.code, words, { hint }));
  }

  private async within(promise: Promise<void>, limit_ms: number): Promise<void> {
    let stop = (): void => {};
    const limit = new Promise<void>((resolve) => {
      stop = this.cli.host.clock.after(limit_ms, resolve);
    });
    await Promise.race([promise.catch(() => {}), limit]);
    stop();
  }
}
