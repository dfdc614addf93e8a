/** How far a map is, on one line of a terminal that is written over and over; nothing where nobody watches. */
import type { Clock } from "../../core/host/host.ts";
import { writeOut } from "../output.ts";

const showEvery_ms = 200;

export interface Count {
  readonly done: number;
  readonly failed: number;
  /** All tasks, once the input has been read. */
  readonly total: number | undefined;
  /** Tasks that had ended before this run began. */
  readonly before: number;
}

export class Progress {
  private readonly clock: Clock;
  private readonly watched: boolean;
  private readonly began_ms: number;
  private shown_ms = Number.NEGATIVE_INFINITY;
  private is_there = false;

  constructor(clock: Clock, watched: boolean) {
    this.clock = clock;
    this.watched = watched;
    this.began_ms = clock.monotonic();
  }

  /** Shows the line anew, not too often. */
  show(count: Count): void {
    if (!this.watched) return;
    const now_ms = this.clock.monotonic();
    if (now_ms - this.shown_ms < showEvery_ms) return;
    this.shown_ms = now_ms;
    this.is_there = true;
    writeOut(2, `\r\u001b[K${progressText(count, now_ms - this.began_ms)}`);
  }

  /** Makes room for other output. */
  clear(): void {
    if (!this.is_there) return;
    this.is_there = false;
    this.shown_ms = Number.NEGATIVE_INFINITY;
    writeOut(2, "\r\u001b[K");
  }
}

/** `[=======>      ] 42/100  2 failed  ETA 12s`. */
export function progressText({ done, failed, total, before }: Count, passed_ms: number): string {
  const lost = failed === 0 ? "" : `  ${failed} failed`;
  if (total === undefined) return `${done} done${lost}`;
  const width = 20;
  const full = total === 0 ? width : Math.floor((done / total) * width);
  const bar = `${"=".repeat(full)}${full < width ? ">" : ""}`.padEnd(width);
  const fresh = done - before;
  const left_s = fresh > 0 ? Math.ceil(((total - done) * passed_ms) / fresh / 1000) : undefined;
  const eta = left_s === undefined || done >= total ? "" : `  ETA ${timeText(left_s)}`;
  return `[${bar}] ${done}/${total}${lost}${eta}`;
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m${seconds % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
