/** Whether the kernel killed something for want of memory: it counts that, and says nothing to the process itself. */
import * as fs from "node:fs";

/** Watches the kernel's counter of such kills on this machine (Linux; elsewhere it never says yes). */
export class MemoryPressure {
  #seen = killsSoFar();

  /** Whether the counter has grown since the last question. */
  killed(): boolean {
    const now = killsSoFar();
    const more = now > this.#seen;
    this.#seen = now;
    return more;
  }
}

function killsSoFar(): number {
  try {
    const match = /^oom_kill (\d+)$/m.exec(fs.readFileSync("/proc/vmstat", "latin1"));
    return Number(match?.[1] ?? 0);
  } catch {
    return 0;
  }
}
