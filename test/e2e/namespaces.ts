/**
 * Two network namespaces on one machine, joined by a cable: as good as two machines for whoever speaks TCP. Needs root
 * and `ip netns`.
 */

/** Why there can be none here, or undefined. */
export function namespacesMissing(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are for Linux";
  if (process.getuid?.() !== 0) return "not root";
  if (findIp() === undefined) return "ip is not installed";
  const name = `gct${process.pid}`;
  const made = ip("netns", "add", name);
  if (made !== undefined) return `ip netns add does not work here: ${made}`;
  ip("netns", "delete", name);
  return undefined;
}

export interface Namespace {
  /** Words before a command that is to run in it. */
  readonly prefix: readonly string[];
  readonly address: string;
}

/** Both ends of the cable. */
export class Cable {
  readonly left: Namespace;
  readonly right: Namespace;
  private readonly names: readonly [string, string];

  constructor() {
    const id = process.pid.toString(36);
    this.names = [`gcl${id}`, `gcr${id}`];
    const [left, right] = this.names;
    for (const name of this.names) must("netns", "add", name);
    must("link", "add", left, "netns", left, "type", "veth", "peer", "name", right, "netns", right);
    this.left = enter(left, "10.213.77.1");
    this.right = enter(right, "10.213.77.2");
  }

  /** Pulls it out. Processes inside must be gone. */
  remove(): void {
    for (const name of this.names) ip("netns", "delete", name);
  }
}

function enter(name: string, address: string): Namespace {
  must("-n", name, "address", "add", `${address}/24`, "dev", name);
  must("-n", name, "link", "set", "lo", "up");
  must("-n", name, "link", "set", name, "up");
  return { prefix: [findIp() ?? "ip", "netns", "exec", name], address };
}

function findIp(): string | undefined {
  return Bun.which("ip", { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }) ?? undefined;
}

function must(...words: string[]): void {
  const trouble = ip(...words);
  if (trouble !== undefined) throw new Error(`ip ${words.join(" ")}: ${trouble}`);
}

/** Runs `ip`; returns what it complained about. */
function ip(...words: string[]): string | undefined {
  const done = Bun.spawnSync([findIp() ?? "ip", ...words], { stdout: "ignore", stderr: "pipe" });
  return done.success ? undefined : done.stderr.toString().trim() || `exit code ${done.exitCode}`;
}
