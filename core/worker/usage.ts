/** What a task's process used, as far as the system tells without taking ours for it. */
import type { Harvest } from "./decision.ts";

/** The usage of processes of one worker. */
export class Usage {
  #ownPeak_kib = 0;

  /**
   * A process counts its maker's memory as its own until it runs its own program (getrusage(2) after vfork), so a peak
   * below ours says nothing and is left out.
   */
  add(ended: Bun.Subprocess | undefined, harvest: Harvest): void {
    const usage = ended?.resourceUsage();
    if (usage === undefined) return;
    harvest.cpu_ms = Number(usage.cpuTime.total) / 1000;
    const peak_kib = Math.round(usage.maxRSS / 1024);
    if (peak_kib <= this.#ownPeak_kib) return;
    this.#ownPeak_kib = process.resourceUsage().maxRSS;
    if (peak_kib > this.#ownPeak_kib) harvest.rss_max_kib = peak_kib;
  }
}
