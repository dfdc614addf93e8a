/** What a number was measured on. Goes into every result, since a number without it means nothing (H6). */
import { readFileSync, statfsSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly kernel: string;
  readonly bun: string;
  /** Type of the file system that durable things were written to. */
  readonly filesystem: string;
  readonly git: string;
  readonly loadavg: number;
  readonly at: string;
}

/** Magic numbers of statfs(2). */
const filesystems: { readonly [magic: number]: string } = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  26985: "nfs",
  198183888: "lustre",
  2035054128: "overlay",
};

export function machineFacts(folder: string): Machine {
  const type = statfsSync(folder).type;
  return {
    cpu: cpuName(),
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    bun: Bun.version,
    filesystem: filesystems[type] ?? `0x${type.toString(16)}`,
    git: commit(),
    loadavg: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    at: new Date().toISOString(),
  };
}

function cpuName(): string {
  try {
    return /model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? "unknown";
  } catch {
    return cpus()[0]?.model ?? "unknown";
  }
}

/** The commit, with a plus sign when files differ from it. */
function commit(): string {
  const root = dirname(dirname(import.meta.dir));
  const head = Bun.spawnSync(["git", "-C", root, "rev-parse", "--short=12", "HEAD"], { stderr: "ignore" });
  if (!head.success) return "unknown";
  const changes = Bun.spawnSync(["git", "-C", root, "status", "--porcelain", "--untracked-files=no"]);
  return head.stdout.toString().trim() + (changes.stdout.length > 0 ? "+" : "");
}
