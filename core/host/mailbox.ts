/**
 * Both ends of mailboxes: one dials, by making a folder of its own in a folder that both sides share; the other looks
 * for such folders and takes them. A folder that was taken by an acceptor that is no more is swept away, and its opener
 * comes again with another one.
 */
import { join } from "node:path";
import { GcError, messageOf, systemCode } from "../errors.ts";
import { isGone, type MailboxFiles, realMailboxFiles } from "./mailbox_files.ts";
import { type MailboxPace, MailboxSocket, usualPace } from "./mailbox_socket.ts";
import { checkPrivateDir } from "./private_file.ts";
import type { AcceptHandlers, Accepting, SocketEvents } from "./websocket.ts";

/** A connection: `c` and 32 random digits. */
const connection = /^c[0-9a-f]{32}$/;
/** Left in a folder by whoever took it. */
const takenName = "taken";

/** What tests change. */
export interface MailboxOptions {
  readonly files?: MailboxFiles;
  readonly pace?: MailboxPace;
}

/**
 * Opens a connection through the shared folder `folder`, which is made if only it is missing. Either `events.opened`
 * and at the end `events.closed` are called, or `failed` alone, once.
 * @returns a function that gives up; no event comes after it.
 */
export function dialMailbox(
  folder: string,
  events: SocketEvents,
  failed: (error: GcError) => void,
  { files = realMailboxFiles, pace = usualPace }: MailboxOptions = {},
): () => void {
  const dir = join(folder, `c${crypto.randomUUID().replaceAll("-", "")}`);
  let state: "dialling" | "open" | "over" = "dialling";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delay_ms = pace.fastest_ms;
  const look = async (): Promise<void> => {
    try {
      const names = await files.list(dir, delay_ms >= pace.slowest_ms / 2);
      if (state !== "dialling") return;
      if (names.includes(takenName)) {
        state = "open";
        events.opened(new MailboxSocket(dir, "opener", events, files, pace));
        return;
      }
    } catch (error) {
      return fail(isGone(error) ? "it was swept away" : messageOf(error));
    }
    delay_ms = Math.min(pace.slowest_ms, delay_ms * 1.5);
    timer = setTimeout(() => void look(), delay_ms);
  };
  const fail = (why: string): void => {
    if (state !== "dialling") return;
    state = "over";
    failed(new GcError("unavailable", "link.unreachable", `Cannot leave messages in "${folder}": ${why}`));
  };
  const begin = async (): Promise<void> => {
    // Whoever could write there could answer in the place of the endpoint.
    if (!checkPrivateDir(folder, false)) await files.make(folder).catch(ignoreThere);
    await files.make(dir);
  };
  void begin().then(look, (error) => fail(messageOf(error)));
  return () => {
    if (state !== "dialling") return;
    state = "over";
    clearTimeout(timer);
    void files.removeTree(dir).catch(() => {});
  };
}

/**
 * Accepts connections in all `folders`, which are asked for at every look; those that are not there are passed over.
 * `stop` ends them all.
 */
export function acceptMailboxes(
  folders: () => Iterable<string>,
  handlers: Pick<AcceptHandlers, "accept" | "broken">,
  { files = realMailboxFiles, pace = usualPace }: MailboxOptions = {},
): Accepting {
  /** Folders of connections that live → how to end them. */
  const open = new Map<string, MailboxSocket | undefined>();
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const take = async (dir: string, names: readonly string[], remote: string): Promise<void> => {
    if (names.includes(takenName)) return files.removeTree(dir);
    const events = handlers.accept({ local: false, remote });
    // It looks again soon; nothing needs to be said.
    if ("retry_after_s" in events) return;
    open.set(dir, undefined);
    try {
      await files.put(dir, takenName, new Uint8Array());
    } catch (error) {
      open.delete(dir);
      return events.closed(1006, messageOf(error));
    }
    const closed = (code: number, reason: string): void => {
      open.delete(dir);
      events.closed(code, reason);
    };
    const socket = new MailboxSocket(dir, "acceptor", { message: events.message, closed }, files, pace);
    open.set(dir, socket);
    events.opened(socket);
  };
  const look = async (): Promise<void> => {
    for (const folder of folders()) {
      try {
        for (const name of await files.list(folder, false)) {
          const dir = join(folder, name);
          if (stopped || !connection.test(name) || open.has(dir)) continue;
          await take(dir, await files.list(dir, false), `mailbox ${folder}`);
        }
      } catch (error) {
        if (!isGone(error)) handlers.broken(error);
      }
    }
    if (!stopped) timer = setTimeout(() => void look(), pace.slowest_ms);
  };
  void look();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const socket of open.values()) socket?.terminate();
    },
  };
}

/** Somebody else may have made it at the same moment. */
function ignoreThere(error: unknown): void {
  if (systemCode(error) !== "EEXIST") throw error;
}
