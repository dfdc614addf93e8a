/**
 * What a process told the kernel, by strace: writes to files, syncs, and the messages that left through its sockets, in
 * the order in which they happened. WebSocket frames are put together and unmasked; what is too large for one frame of
 * gc is left out.
 */
import { readFileSync } from "node:fs";
import { decodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { until } from "./until.ts";

/** One thing that happened. Files are named by their path. */
export type Event =
  | { t: "write"; path: string; bytes: Buffer }
  | { t: "sync"; path: string }
  | { t: "sent"; message: Frameable };

const calls = "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sendto,sendmsg";

/** Why strace cannot be used here, or undefined when it can. */
export function straceMissing(): string | undefined {
  if (process.platform !== "linux") return "strace is for Linux";
  if (Bun.which("strace") === null) return "strace is not installed";
  const tried = Bun.spawnSync(["strace", "-o", "/dev/null", "true"], { stderr: "pipe" });
  return tried.success ? undefined : `strace does not work here: ${tried.stderr.toString().trim()}`;
}

/** strace on a living process and all its threads. */
export class Trace {
  private readonly strace: Bun.Subprocess<"ignore", "ignore", "pipe">;
  private readonly path: string;
  private readonly pid: number;

  private constructor(pid: number, path: string) {
    this.pid = pid;
    this.path = path;
    const options = ["-f", "-yy", "-xx", "-s", "200000", "-e", `trace=${calls}`, "-e", "signal=none"];
    this.strace = Bun.spawn(["strace", ...options, "-o", path, "-p", String(pid)], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
  }

  /** Resolves when it looks on. */
  static async of(pid: number, path: string): Promise<Trace> {
    const trace = new Trace(pid, path);
    await until(() => isTraced(pid), `strace to attach to ${pid}`);
    return trace;
  }

  /** Lets go of the process, and tells what it did. */
  async end(): Promise<Event[]> {
    this.strace.kill("SIGINT");
    await this.strace.exited;
    return eventsOf(readFileSync(this.path, "latin1"), this.pid);
  }
}

function isTraced(pid: number): boolean {
  return !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
}

/** Reads a trace. Only threads of the process itself count: a task's children write what they like. */
function eventsOf(text: string, pid: number): Event[] {
  const events: Event[] = [];
  const streams = new Map<string, Stream>();
  const unfinished = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1];
    if (begun !== undefined) {
      // A message counts from its beginning, a write or a sync from its end.
      if (/^send/.test(begun)) take(begun, events, streams);
      else unfinished.set(thread, begun);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    if (resumed === undefined) take(rest, events, streams);
    else if (unfinished.has(thread)) take(`${unfinished.get(thread)}${resumed}`, events, streams);
    unfinished.delete(thread);
  }
  if (events.length === 0) throw new Error(`Nothing was seen of ${pid}: ${text.slice(0, 500)}`);
  return events;
}

/** `pwrite64(6<PATH>, "\\x00…", 24, 74192) = 24`; all texts are hexadecimal, paths too. */
function take(call: string, events: Event[], streams: Map<string, Stream>): void {
  const [head = "", name = "", place = ""] = /^(\w+)\(\d+<((?:->|[^>])*)>/.exec(call) ?? [];
  const file = /^(\\x[0-9a-f]{2})+$/.test(place) ? unhex(place).toString() : place;
  if (/^(fsync|fdatasync)$/.test(name)) {
    if (/= 0$/.test(call)) events.push({ t: "sync", path: file });
    return;
  }
  const written = Number(/= (\d+)$/.exec(call)?.[1] ?? Number.POSITIVE_INFINITY);
  const texts = [...call.slice(head.length).matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => match[1] ?? "");
  const bytes = unhex(texts.join("")).subarray(0, written);
  if (file.startsWith("/")) events.push({ t: "write", path: file, bytes });
  if (!/^(UNIX|TCP|socket)/.test(file)) return;
  const stream = streams.get(file) ?? new Stream();
  streams.set(file, stream);
  for (const message of stream.take(bytes)) events.push({ t: "sent", message });
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

/** The bytes that went out of one socket. */
class Stream {
  private rest: Buffer = Buffer.alloc(0);
  private upgraded = false;

  take(bytes: Buffer): Frameable[] {
    this.rest = Buffer.concat([this.rest, bytes]);
    if (!this.upgraded && /^(HTTP|GET|POST)/.test(this.rest.toString("latin1", 0, 4))) {
      const end = this.rest.indexOf("\r\n\r\n");
      if (end < 0) return [];
      this.rest = this.rest.subarray(end + 4);
    }
    this.upgraded = true;
    const messages: Frameable[] = [];
    for (let payload = this.frame(); payload !== undefined; payload = this.frame()) {
      try {
        messages.push(...decodeFrame(payload));
      } catch {
        // A ping, a close, or a part of something large.
      }
    }
    return messages;
  }

  /** One WebSocket frame (RFC 6455 §5.2). */
  private frame(): Buffer | undefined {
    const { rest } = this;
    if (rest.byteLength < 2) return undefined;
    const second = rest.readUInt8(1);
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const maskAt = 2 + lengthBytes;
    const start = maskAt + (second & 0x80 ? 4 : 0);
    if (rest.byteLength < start) return undefined;
    const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
    if (rest.byteLength < start + length) return undefined;
    const payload = Buffer.from(rest.subarray(start, start + length));
    if (start > maskAt) for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (rest[maskAt + (i & 3)] ?? 0);
    this.rest = rest.subarray(start + length);
    return payload;
  }
}
