/** A process that stands in for a worker's task: its output by offset, its input, its signals, its end. */
import { constants } from "node:os";
import { chunkBytesMax, snippetBytesMax } from "../../core/limits.ts";
import type { Output, Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Follow, Input, Resize, WorkerSignal } from "../../core/schema/worker_message.ts";
import type { Frameable } from "../../core/wire/codec.ts";

type Reply = (messages: Frameable[]) => void;

interface Stream {
  /** The output so far is the first `size` bytes of `room`. */
  room: Buffer;
  size: number;
  sent: number;
  acked: number;
  endSent: boolean;
}

export class StubTask {
  private readonly tid: string;
  private readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  private readonly streams = {
    stdout: { room: Buffer.alloc(0), size: 0, sent: 0, acked: 0, endSent: false } as Stream,
    stderr: { room: Buffer.alloc(0), size: 0, sent: 0, acked: 0, endSent: false } as Stream,
  };
  private follower: { reply: Reply; follow: Follow } | undefined;
  private cancelled = false;
  private over = false;
  private inputAt = 0;
  private result: Result | undefined;

  constructor(tid: string, spec: TaskSpec, finished: (result: Result) => void) {
    this.tid = tid;
    const argv = spec.argv ?? ["sh", "-c", spec.script ?? ""];
    const started_ms = Date.now();
    const env = { ...process.env, ...spec.env };
    this.child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "pipe", env, cwd: spec.cwd ?? "/" });
    if (spec.stdin?.kind === "inline") this.child.stdin.write(Buffer.from(spec.stdin.base64, "base64"));
    if (spec.stdin?.kind !== "stream") void this.child.stdin.end();
    const done = Promise.all([this.read("stdout"), this.read("stderr"), this.child.exited]);
    void done.then(() => {
      this.over = true;
      this.result = this.outcome(spec, started_ms);
      this.pump();
      finished(this.result);
    });
  }

  take(message: Follow | Input | WorkerSignal | Resize, reply: Reply): void {
    switch (message.t) {
      case "follow": {
        if (message.stop === true) {
          this.follower = undefined;
          return;
        }
        const fresh = this.follower === undefined;
        this.follower = { reply, follow: message };
        for (const name of ["stdout", "stderr"] as const) {
          const from = message[`${name}_from`];
          const stream = this.streams[name];
          if (fresh || from > stream.sent) Object.assign(stream, { sent: from, endSent: false });
          stream.acked = from;
        }
        return this.pump();
      }
      case "input": {
        const bytes = message.bytes?.[0] ?? new Uint8Array(0);
        if (message.offset <= this.inputAt) {
          const fresh = bytes.subarray(this.inputAt - message.offset);
          if (fresh.byteLength > 0) this.child.stdin.write(fresh);
          this.inputAt += fresh.byteLength;
          void this.child.stdin.flush();
          if (message.end) void this.child.stdin.end();
        }
        const closed = this.over || (message.end && message.offset + bytes.byteLength <= this.inputAt);
        return reply([{ t: "input_ack", tid: this.tid, offset: this.inputAt, closed } as Frameable]);
      }
      case "signal":
        return this.end(message.signal);
      case "resize":
        return;
    }
  }

  cancel(): void {
    this.cancelled = true;
    this.end("SIGTERM");
  }

  end(signal: NodeJS.Signals): void {
    if (!this.over) this.child.kill(signal);
  }

  standing() {
    if (this.result === undefined)
      return { tid: this.tid, phase: "running", attempt: 1, reason: "It runs", host: "stub" };
    return { tid: this.tid, phase: "finished", attempt: 1, reason: "It ended", result: this.result };
  }

  private async read(name: "stdout" | "stderr"): Promise<void> {
    for await (const piece of this.child[name]) {
      const stream = this.streams[name];
      if (stream.size + piece.byteLength > stream.room.byteLength) {
        const room = Buffer.alloc(2 * (stream.size + piece.byteLength));
        stream.room.copy(room, 0, 0, stream.size);
        stream.room = room;
      }
      stream.room.set(piece, stream.size);
      stream.size += piece.byteLength;
      this.pump();
    }
  }

  private pump(): void {
    if (this.follower === undefined) return;
    const { reply, follow } = this.follower;
    for (const name of ["stdout", "stderr"] as const) {
      const stream = this.streams[name];
      for (;;) {
        const until = Math.min(stream.size, stream.acked + follow.window, stream.sent + chunkBytesMax);
        const end = this.over && until === stream.size;
        if (stream.sent >= until && (!end || stream.endSent)) break;
        const bytes = [Uint8Array.from(stream.room.subarray(stream.sent, until))];
        reply([{ t: "chunk", sid: "stub", tid: this.tid, stream: name, offset: stream.sent, end, bytes } as Frameable]);
        stream.sent = Math.max(stream.sent, until);
        stream.endSent = end;
      }
    }
  }

  private outcome(spec: TaskSpec, started_ms: number): Result {
    const { exitCode, signalCode } = this.child;
    const number = signalCode === null ? 0 : (constants.signals[signalCode as NodeJS.Signals] ?? 0);
    const exit_code = signalCode === null ? (exitCode ?? 0) : 128 + number;
    const outcome: Result["outcome"] = this.cancelled
      ? { class: "cancelled", cause: "cancel", exit_code: 143, reason: "It was cancelled" }
      : { class: exit_code === 0 ? "ok" : "fail", cause: signalCode === null ? "exit" : "signal", exit_code };
    const lines = spec.snippet_lines ?? 1000;
    return {
      outcome,
      stdout: snippet(whole(this.streams.stdout), lines),
      stderr: snippet(whole(this.streams.stderr), lines),
      attempt: 1,
      started_ms,
      ended_ms: Date.now(),
      host: "stub",
    };
  }
}

function whole({ room, size }: Stream): Buffer {
  return room.subarray(0, size);
}

function snippet(all: Buffer, lines: number): Output {
  let start = Math.max(0, all.byteLength - snippetBytesMax);
  let seen = 0;
  for (let at = all.byteLength - 2; at >= start; at--) {
    if (all[at] === 10 && ++seen === lines) start = at + 1;
  }
  const kept = lines === 0 ? Buffer.alloc(0) : all.subarray(start);
  if (kept.byteLength === 0) return { total: all.byteLength, kept: 0 };
  const text = kept.toString();
  const common = { total: all.byteLength, kept: kept.byteLength };
  return Buffer.from(text).equals(kept) ? { ...common, text } : { ...common, base64: kept.toString("base64") };
}
