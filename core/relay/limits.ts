/** Limits of one relay, from its configuration; the defaults are those of Globus Compute (globus-compute.md §6.1). */
import { requestBurst, requestsPer10s, timeToLive_ms } from "../limits.ts";

export interface RelayLimits {
  /** Requests of one person over TCP: sustained, per 10 s. */
  readonly requests_per_10_s: number;
  /** Requests that may come at once. */
  readonly request_burst: number;
  /** Longest life of a task that nobody takes, and of a result that nobody fetches. */
  readonly time_to_live_ms: number;
  /** Below this much free space no new tasks are stored; results and receipts still are. */
  readonly free_bytes_min: number;
}

export const defaultLimits: RelayLimits = {
  requests_per_10_s: requestsPer10s,
  request_burst: requestBurst,
  time_to_live_ms: timeToLive_ms,
  free_bytes_min: 1024 * 1024 * 1024,
};
