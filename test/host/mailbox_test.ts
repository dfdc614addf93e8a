/** Connections through a shared folder: in order, whole, bounded, ended by both sides, and on a folder that lags. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GcError } from "../../core/errors.ts";
import { acceptMailboxes, dialMailbox, type MailboxOptions } from "../../core/host/mailbox.ts";
import { type MailboxFiles, realMailboxFiles } from "../../core/host/mailbox_files.ts";
import type { Accepting, Socket, SocketEvents } from "../../core/host/websocket.ts";
import { partBytes } from "../../core/limits.ts";

const pace = { fastest_ms: 1, slowest_ms: 20 };

/** One side of a connection, with what it has heard. */
class Side {
  socket: Socket | undefined;
  readonly heard: Uint8Array[] = [];
  end: { code: number; reason: string } | undefined;
  readonly events: SocketEvents = {
    opened: (socket) => {
      this.socket = socket;
    },
    message: (message) => {
      this.heard.push(message ?? new Uint8Array());
    },
    closed: (code, reason) => {
      this.end = { code, reason };
    },
  };

  say(text: string): void {
    if (!this.socket?.send(new Uint8Array(Buffer.from(text)))) throw new Error("It was not sent");
  }

  texts(): string[] {
    return this.heard.map((bytes) => Buffer.from(bytes).toString());
  }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await Bun.sleep(2);
}

let folder = "";
let accepting: Accepting | undefined;
let accepted: Side[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "gc-mailbox-"));
  accepted = [];
});

afterEach(async () => {
  await accepting?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

function accept(options: MailboxOptions = { pace }): void {
  const handlers = {
    accept: () => {
      const side = new Side();
      accepted.push(side);
      return side.events;
    },
    broken: (error: unknown) => {
      throw error;
    },
  };
  accepting = acceptMailboxes(() => [join(folder, "not-there"), folder], handlers, options);
}

async function pair(options: MailboxOptions = { pace }): Promise<{ opener: Side; acceptor: Side }> {
  if (accepting === undefined || accepted.length === 0) accept(options);
  const opener = new Side();
  const before = accepted.length;
  dialMailbox(folder, opener.events, (error) => opener.events.closed(0, error.message), options);
  await until(() => opener.socket !== undefined && accepted.length > before);
  return { opener, acceptor: accepted.at(-1) as Side };
}

const connections = (): string[] => fs.readdirSync(folder).filter((name) => name.startsWith("c"));

/** A folder of a file system that shows names late, each by its own time, so that a later one may be seen first. */
function lagging(most_ms: number): MailboxFiles {
  const seenFrom = new Map<string, number>();
  let dice = 12345;
  const chance = (): number => {
    dice = (dice * 1103515245 + 12345) % 2147483648;
    return dice / 2147483648;
  };
  return {
    ...realMailboxFiles,
    async list(dir, fresh) {
      const now_ms = performance.now();
      const names = await realMailboxFiles.list(dir, fresh);
      return names.filter((name) => {
        const path = join(dir, name);
        if (!seenFrom.has(path)) seenFrom.set(path, now_ms + chance() * most_ms);
        return now_ms >= (seenFrom.get(path) ?? 0);
      });
    },
    async read(path) {
      await Bun.sleep(chance() * 3);
      return realMailboxFiles.read(path);
    },
  };
}

describe("a mailbox", () => {
  test("carries messages both ways, in order and whole", async () => {
    const { opener, acceptor } = await pair();
    for (let i = 0; i < 50; i++) {
      opener.say(`to ${i}`);
      acceptor.say(`fro ${i}`);
    }
    await until(() => opener.heard.length === 50 && acceptor.heard.length === 50);
    expect(acceptor.texts()).toEqual(Array.from({ length: 50 }, (_, i) => `to ${i}`));
    expect(opener.texts()).toEqual(Array.from({ length: 50 }, (_, i) => `fro ${i}`));
  });

  test("carries many large messages, a bounded number of files at a time", async () => {
    const { opener, acceptor } = await pair();
    const [dir = ""] = connections();
    const part = new Uint8Array(partBytes).fill(7);
    for (let i = 0; i < 120; i++) opener.socket?.send(part);
    expect(opener.socket?.buffered()).toBeGreaterThan(120 * partBytes);
    let most = 0;
    await until(() => {
      most = Math.max(most, fs.readdirSync(join(folder, dir)).filter((name) => name.startsWith("o")).length);
      return acceptor.heard.length === 120;
    });
    expect(most).toBeLessThanOrEqual(16);
    expect(acceptor.heard.every((bytes) => Buffer.compare(bytes, part) === 0)).toBe(true);
    await until(() => opener.socket?.buffered() === 0);
  });

  test("does not grow the folder while nobody reads", async () => {
    const opener = new Side();
    dialMailbox(folder, opener.events, () => {}, { pace });
    await until(() => connections().length === 1);
    const dir = join(folder, connections()[0] ?? "");
    // It is taken, but who took it hangs.
    await realMailboxFiles.put(dir, "taken", new Uint8Array());
    await until(() => opener.socket !== undefined);
    for (let i = 0; i < 100; i++) opener.socket?.send(new Uint8Array(partBytes));
    const unread = (): number => fs.readdirSync(dir).filter((name) => name.startsWith("o")).length;
    await until(() => unread() === 16);
    // As many looks as it takes to put the rest there, if it did.
    await Bun.sleep(pace.slowest_ms * 10);
    expect(unread()).toBe(16);
    expect(opener.socket?.buffered()).toBeGreaterThan(100 * partBytes);
    opener.socket?.terminate();
    await until(() => connections().length === 0);
  });

  test("says goodbye with code and reason, and leaves nothing behind", async () => {
    const { opener, acceptor } = await pair();
    opener.say("last words");
    opener.socket?.close(4001, "it is late");
    await until(() => acceptor.end !== undefined && opener.end !== undefined);
    expect(acceptor.texts()).toEqual(["last words"]);
    expect(acceptor.end).toEqual({ code: 4001, reason: "it is late" });
    expect(opener.socket?.send(new Uint8Array(1))).toBe(false);
    await until(() => connections().length === 0);
  });

  test("is lost for both when one of them ends it without a word", async () => {
    const { opener, acceptor } = await pair();
    acceptor.socket?.terminate();
    await until(() => opener.end !== undefined);
    expect(opener.end?.code).toBe(1006);
    expect(acceptor.end?.code).toBe(1006);
  });

  test("keeps several openers apart", async () => {
    const one = await pair();
    const two = await pair();
    one.opener.say("one");
    two.opener.say("two");
    await until(() => one.acceptor.heard.length + two.acceptor.heard.length === 2);
    expect([one.acceptor.texts(), two.acceptor.texts()]).toEqual([["one"], ["two"]]);
  });

  test("keeps order on a file system that shows names late and out of order", async () => {
    const { opener, acceptor } = await pair({ pace, files: lagging(60) });
    const sent: string[] = [];
    for (let i = 0; i < 60; i++) {
      opener.say(`${i}`);
      acceptor.say(`${i}`);
      sent.push(`${i}`);
      await Bun.sleep(i % 3);
    }
    await until(() => opener.heard.length === 60 && acceptor.heard.length === 60);
    expect(acceptor.texts()).toEqual(sent);
    expect(opener.texts()).toEqual(sent);
  }, 20_000);

  test("lets nobody else read or write", async () => {
    const { opener } = await pair();
    const [dir = ""] = connections();
    const modes = (path: string): number => fs.statSync(path).mode & 0o777;
    expect(modes(join(folder, dir))).toBe(0o700);
    await accepting?.stop();
    opener.socket?.terminate();
    await realMailboxFiles.put(folder, "o1", new Uint8Array(3));
    expect(modes(join(folder, "o1"))).toBe(0o600);
  });

  test("ends at a file that makes no sense, and reads none through a link", async () => {
    const first = await pair();
    const [dir = ""] = connections();
    await realMailboxFiles.put(join(folder, dir), "o1", new Uint8Array([255, 255, 255, 255, 1]));
    await until(() => first.acceptor.end !== undefined);
    expect(first.acceptor.end?.code).toBe(1002);
    await until(() => connections().length === 0);
    const second = await pair();
    const [other = ""] = connections();
    fs.symlinkSync("/etc/passwd", join(folder, other, "o1"));
    await until(() => second.acceptor.end !== undefined);
    expect(second.acceptor.heard).toEqual([]);
  });

  test("of an acceptor that is no more is swept away, so that its opener comes again", async () => {
    const stale = join(folder, `c${"0".repeat(32)}`);
    fs.mkdirSync(stale);
    fs.writeFileSync(join(stale, "taken"), "");
    accept();
    await until(() => connections().length === 0);
    expect(accepted).toEqual([]);
  });

  test("cannot be dialled where there is no place for its folder, and says where", async () => {
    const failed = await new Promise<GcError>((resolve) => {
      dialMailbox(join(folder, "no", "where"), new Side().events, resolve, { pace });
    });
    expect(failed.code).toBe("link.unreachable");
    expect(failed.message).toContain(join(folder, "no", "where"));
  });

  test("makes its folder when several dial for the first time, and nobody else can enter it", async () => {
    const first = join(folder, "not-there");
    const openers = [new Side(), new Side(), new Side()];
    accept();
    for (const { events } of openers) dialMailbox(first, events, (error) => events.closed(0, error.message), { pace });
    await until(() => openers.every(({ socket }) => socket !== undefined));
    expect(fs.statSync(first).mode & 0o777).toBe(0o700);
  });

  test("is not dialled in a folder that others may write to", async () => {
    fs.chmodSync(folder, 0o777);
    const failed = await new Promise<GcError>((resolve) => {
      dialMailbox(folder, new Side().events, resolve, { pace });
    });
    expect(failed.message).toContain("Other users may write");
    expect(connections()).toEqual([]);
  });

  test("that is given up leaves no folder", async () => {
    const giveUp = dialMailbox(folder, new Side().events, () => {}, { pace });
    await until(() => connections().length === 1);
    giveUp();
    await until(() => connections().length === 0);
  });
});
