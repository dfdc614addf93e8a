/**
 * Output of tasks that are over, read from the files that their workers left: a follower gets what it asks for, a
 * window at a time, as if the task were still there.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { removeIfThere } from "../host/files.ts";
import { chunkBytesMax } from "../limits.ts";
import type { Chunk, Follow } from "../schema/worker_message.ts";

/** The files of finished tasks of one endpoint. */
export class OutputFiles {
  private readonly dir: string;
  /** Follower, task and stream → where the last `follow` began, and how far chunks were sent for it. */
  private readonly sent = new Map<string, { from: number; to: number }>();

  constructor(dir: string) {
    this.dir = dir;
  }

  /** The chunks that a `follow` calls for: from its offsets on, within its window, without what was sent already. */
  *serve(follower: string, follow: Follow, attempt: number): Generator<Chunk> {
    for (const stream of ["stdout", "stderr"] as const) {
      const key = `${follower} ${follow.tid} ${stream}`;
      const from = stream === "stdout" ? follow.stdout_from : follow.stderr_from;
      const until = from + follow.window;
      const before = this.sent.get(key);
      // The same place asked for again: what was sent did not arrive.
      let at = before === undefined || before.from === from ? from : Math.max(from, before.to);
      if (at === Number.POSITIVE_INFINITY) continue;
      const file = this.open(follow.tid, attempt, stream);
      try {
        const size = file === undefined ? 0 : fs.fstatSync(file).size;
        while (file !== undefined && at < size && at < until) {
          const bytes = Buffer.alloc(Math.min(chunkBytesMax, size - at, until - at));
          const read = fs.readSync(file, bytes, 0, bytes.byteLength, at);
          if (read === 0) break;
          yield this.chunk(follow, stream, at, false, bytes.subarray(0, read));
          at += read;
        }
        if (at >= size) {
          yield this.chunk(follow, stream, at, true);
          at = Number.POSITIVE_INFINITY;
        }
      } finally {
        if (file !== undefined) fs.closeSync(file);
      }
      this.sent.set(key, { from, to: at });
    }
  }

  /** A follower has enough. */
  forget(follower: string, tid: string): void {
    for (const stream of ["stdout", "stderr"]) this.sent.delete(`${follower} ${tid} ${stream}`);
  }

  /** Removes files of tasks that nobody holds any more; to be called once, before workers come back. */
  sweep(isHeld: (tid: string) => boolean): void {
    for (const name of fs.readdirSync(this.dir)) {
      const tid = name.slice(0, 36);
      if (/^[0-9a-f-]{36}\.\d+\.(out|err)$/.test(name) && !isHeld(tid)) removeIfThere(join(this.dir, name));
    }
  }

  /** Lets go of the files of one attempt. */
  drop(tid: string, attempt: number): void {
    removeIfThere(this.path(tid, attempt, "stdout"));
    removeIfThere(this.path(tid, attempt, "stderr"));
  }

  private open(tid: string, attempt: number, stream: "stdout" | "stderr"): number | undefined {
    try {
      return fs.openSync(this.path(tid, attempt, stream), "r");
    } catch {
      return undefined;
    }
  }

  private path(tid: string, attempt: number, stream: "stdout" | "stderr"): string {
    return join(this.dir, `${tid}.${attempt}.${stream === "stdout" ? "out" : "err"}`);
  }

  private chunk(follow: Follow, stream: "stdout" | "stderr", offset: number, end: boolean, bytes?: Uint8Array): Chunk {
    const { sid, tid } = follow;
    return { t: "chunk", sid, tid, stream, offset, end, ...(bytes === undefined ? {} : { bytes: [bytes] }) };
  }
}
