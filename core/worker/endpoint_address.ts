/**
 * Where a worker finds its endpoint: a socket on the same machine, or whatever `door.json` says now, or the folder of
 * its block, in which both can leave messages. Of several ways one is tried after the other, and the one that worked
 * last before all others; the file is read before every attempt, because the endpoint may have moved.
 */
import { GcError } from "../errors.ts";
import { readJsonIfThere } from "../host/files.ts";
import { fits } from "../schema/validate.ts";
import type { Door, WorkerFile } from "../schema/worker_file.ts";
import type { WorkerAddress } from "../wire/link.ts";

/** So long a worker that was reached over the network waits for it to come back before it goes through the folder. */
const networkGone_ms = 120_000;

/** The ways of one worker. Times are of a monotonic clock. */
export class EndpointAddress {
  private readonly link: WorkerFile["link"];
  /** Which way is the next to be tried. */
  private turn = 0;
  /** The one that was tried last. */
  private latest: WorkerAddress | undefined;
  private worked: WorkerAddress | undefined;
  private networkWorked = false;
  /** Since when it has been looking. */
  private lost_ms: number | undefined;

  constructor(link: WorkerFile["link"]) {
    this.link = link;
  }

  /** The next way to try. @throws GcError `worker.no_door` while there is none. */
  next(now_ms: number): WorkerAddress {
    this.lost_ms ??= now_ms;
    const patient = this.networkWorked && now_ms - this.lost_ms < networkGone_ms;
    const ways = this.ways().filter(({ kind }) => kind !== "mailbox" || !patient);
    const favourite = ways.findIndex((way) => isSame(way, this.worked));
    // Once, and then the others in their order, it again among them.
    if (favourite >= 0) this.turn = favourite;
    this.worked = undefined;
    const way = ways[this.turn++ % Math.max(1, ways.length)];
    if (way === undefined) {
      const { path } = this.link;
      throw new GcError("unavailable", "worker.no_door", `The endpoint does not say where it is ("${path}")`);
    }
    this.latest = way;
    return way;
  }

  /** The way that was tried last led there. */
  arrived(): void {
    this.lost_ms = undefined;
    if (this.latest?.kind === "url") this.networkWorked = true;
    if (this.isDetour) this.turn = 0;
    else this.worked = this.latest;
  }

  /** It goes through the folder although the network has led there before: to be given up after a while. */
  get isDetour(): boolean {
    return this.latest?.kind === "mailbox" && this.networkWorked;
  }

  private ways(): WorkerAddress[] {
    const { kind, path, reach = ["direct"], mailbox } = this.link;
    if (kind === "unix") return [{ kind, path }];
    const ways: WorkerAddress[] = [];
    for (const way of reach) {
      if (way === "direct") ways.push(...doorsOf(path));
      else if (mailbox !== undefined) ways.push({ kind: "mailbox", path: mailbox });
    }
    return ways;
  }
}

function doorsOf(path: string): WorkerAddress[] {
  const door = readJsonIfThere(path);
  if (!fits("door", door)) return [];
  const { addresses, port, ca_pem }: Door = door;
  return addresses.map((address) => ({ kind: "url", url: `wss://${address}:${port}`, ca_pem }));
}

function isSame(one: WorkerAddress, other: WorkerAddress | undefined): boolean {
  if (one.kind === "url") return other?.kind === "url" && one.url === other.url;
  return one.kind === other?.kind && one.path === other.path;
}
