/**
 * A crowd: all processes of one side of a bench, and the CPU time they used, children that have ended included. With a
 * cgroup v2 (root, any kernel of the last years) the kernel counts to the microsecond. Else the tree under /proc is
 * added up in ticks of 10 ms, and a process that left its parents is found by its GC_HOME. `how` says which it was.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Crowd {
  readonly how: "cgroup v2 cpu.stat" | "/proc/PID/stat of the tree";
  /** `argv`, but as a member of the crowd from its first instruction on. */
  join(argv: readonly string[]): string[];
  /** For the fallback: whoever is started by `pid`, or has this folder in its environment, belongs to it. */
  know(pid: number): void;
  /** CPU time of all members so far, microseconds. */
  cpu_us(): number;
  /** Members that live now. */
  pids(): number[];
  /** Ends what is left and takes the group down. */
  close(): Promise<void>;
}

let made = 0;

/** @param mark a text that is in the environment of members only, such as their GC_HOME. */
export function gatherCrowd(mark: string): Crowd {
  const group = makeGroup();
  const crowd = group === undefined ? new Tree(mark) : new Group(group);
  crowds.add(crowd);
  return crowd;
}

const crowds = new Set<Crowd>();

/** Ends all processes of all crowds, whatever state a bench was in when it broke. */
export async function closeCrowds(): Promise<void> {
  for (const crowd of crowds) await crowd.close();
}

function makeGroup(): string | undefined {
  for (const mount of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    if (!existsSync(join(mount, "cgroup.controllers"))) continue;
    const group = join(mount, `gc-bench.${process.pid}.${made++}`);
    try {
      mkdirSync(group);
      readFileSync(join(group, "cpu.stat"));
      return group;
    } catch {
      // No permission, or no such hierarchy: the fallback is there for that.
    }
  }
  return undefined;
}

class Group implements Crowd {
  readonly how = "cgroup v2 cpu.stat";
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  join(argv: readonly string[]): string[] {
    return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', this.path, ...argv];
  }

  know(): void {}

  cpu_us(): number {
    const line = /usage_usec (\d+)/.exec(readFileSync(join(this.path, "cpu.stat"), "latin1"));
    return Number(line?.[1] ?? Number.NaN);
  }

  pids(): number[] {
    return readFileSync(join(this.path, "cgroup.procs"), "latin1").trim().split("\n").filter(Boolean).map(Number);
  }

  async close(): Promise<void> {
    crowds.delete(this);
    for (let tries = 0; tries < 100; tries++) {
      killAll(this.pids());
      try {
        return rmdirSync(this.path);
      } catch {
        await Bun.sleep(20);
      }
    }
  }
}

class Tree implements Crowd {
  readonly how = "/proc/PID/stat of the tree";
  private readonly roots = new Set<number>();
  private readonly mark: string;
  /** What members had used when they were last seen. */
  private readonly seen = new Map<number, number>();

  constructor(mark: string) {
    this.mark = mark;
  }

  join(argv: readonly string[]): string[] {
    return [...argv];
  }

  know(pid: number): void {
    this.roots.add(pid);
  }

  cpu_us(): number {
    for (const pid of this.pids()) this.seen.set(pid, ticksOf(pid) * 10_000);
    return [...this.seen.values()].reduce((sum, each) => sum + each, 0);
  }

  pids(): number[] {
    const all = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    const members = new Set(all.filter((pid) => this.roots.has(pid) || environmentOf(pid).includes(this.mark)));
    for (let grown = true; grown; ) {
      grown = false;
      for (const pid of all) {
        if (members.has(pid) || !members.has(statOf(pid)?.parent ?? -1)) continue;
        members.add(pid);
        grown = true;
      }
    }
    members.delete(process.pid);
    return [...members];
  }

  async close(): Promise<void> {
    crowds.delete(this);
    killAll(this.pids());
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone meanwhile.
    }
  }
}

/** CPU time of one process, microseconds to the nearest 10,000: its own, and that of children it has reaped. */
export function processCpu_us(pid: number): { own: number; children: number } {
  const stat = statOf(pid);
  return { own: (stat?.own ?? 0) * 10_000, children: (stat?.children ?? 0) * 10_000 };
}

function ticksOf(pid: number): number {
  const stat = statOf(pid);
  return (stat?.own ?? 0) + (stat?.children ?? 0);
}

/** utime + stime, own and of reaped children, in clock ticks (10 ms on every Linux that Bun runs on). */
function statOf(pid: number): { parent: number; own: number; children: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
    return { parent: fields[1] ?? 0, own: user + system, children: childUser + childSystem };
  } catch {
    return undefined;
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

/**
 * Takes one living process out of its crowd and counts it alone from now on; without cgroups, by the 10 ms ticks of its
 * stat file. Threads that end are counted too, which the counters of single threads would not do.
 */
export function countAlone(pid: number): { readonly how: Crowd["how"]; cpu_us(): number; close(): Promise<void> } {
  const path = makeGroup();
  if (path === undefined) {
    return { how: "/proc/PID/stat of the tree", cpu_us: () => ticksOf(pid) * 10_000, close: async () => {} };
  }
  writeFileSync(join(path, "cgroup.procs"), String(pid));
  return new Group(path);
}
