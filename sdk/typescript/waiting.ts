/** Waiting for several futures: as they end, in order, or until enough of them have. Never submits or cancels. */
import { type ComputeFuture, longest_ms, within } from "./compute_future.ts";

export interface WaitOptions {
  /** Seconds for all of it together; then `WaitTimeout`. The tasks go on. */
  timeout_s?: number;
}

/** Futures as they end, each once. @throws WaitTimeout. */
export async function* asCompleted<T>(
  futures: Iterable<ComputeFuture<T>>,
  options: WaitOptions = {},
): AsyncGenerator<ComputeFuture<T>, void, void> {
  const left = limitOf(options);
  const ended: ComputeFuture<T>[] = [];
  let wake: () => void = () => {};
  const all = [...new Set(futures)];
  const releases = all.map((future) => future.want());
  for (const future of all) {
    future.whenDone((one) => {
      ended.push(one);
      wake();
    });
  }
  try {
    for (let given = 0; given < all.length; given += 1) {
      if (ended.length === given) {
        const next = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await limited(next, left(), `${all.length - given} of ${all.length} futures`);
      }
      const one = ended[given];
      if (one !== undefined) yield one;
    }
  } finally {
    for (const release of releases) release();
  }
}

/** Values in the order of the futures. @throws the first failure in that order. @throws WaitTimeout. */
export async function* resultsOf<T>(
  futures: Iterable<ComputeFuture<T>>,
  options: WaitOptions = {},
): AsyncGenerator<T, void, void> {
  const left = limitOf(options);
  const all = [...futures];
  const releases = all.map((future) => future.want());
  try {
    for (const future of all) yield await future.result(left());
  } finally {
    for (const release of releases) release();
  }
}

/** When `wait` has waited enough. A future that was cancelled is no failure. */
export type ReturnWhen = "FIRST_COMPLETED" | "FIRST_EXCEPTION" | "ALL_COMPLETED";

/** Waits for futures. When the timeout is over, what has not ended is in `notDone`; it throws nothing. */
export function wait<T>(
  futures: Iterable<ComputeFuture<T>>,
  options: WaitOptions & { returnWhen?: ReturnWhen } = {},
): Promise<{ done: Set<ComputeFuture<T>>; notDone: Set<ComputeFuture<T>> }> {
  const { returnWhen = "ALL_COMPLETED", timeout_s } = options;
  const all = [...new Set(futures)];
  const isEnough = (): boolean => {
    if (all.every((future) => future.done())) return true;
    if (returnWhen === "FIRST_COMPLETED") return all.some((future) => future.done());
    return returnWhen === "FIRST_EXCEPTION" && all.some((future) => future.failed());
  };
  return new Promise((resolve) => {
    const releases = all.map((future) => future.want());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (): void => {
      clearTimeout(timer);
      for (const release of releases) release();
      const done = new Set(all.filter((future) => future.done()));
      resolve({ done, notDone: new Set(all.filter((future) => !done.has(future))) });
    };
    if (isEnough()) return end();
    if (timeout_s !== undefined) timer = setTimeout(end, Math.min(timeout_s * 1000, longest_ms));
    const look = (): void => {
      if (isEnough()) end();
    };
    for (const future of all) future.whenDone(look);
  });
}

/** How many seconds are left of a limit. */
export function limitOf({ timeout_s }: WaitOptions): () => number | undefined {
  if (timeout_s === undefined) return () => undefined;
  const end_ms = performance.now() + timeout_s * 1000;
  return () => Math.max(0, (end_ms - performance.now()) / 1000);
}

function limited<T>(promise: Promise<T>, timeout_s: number | undefined, what: string): Promise<T> {
  return timeout_s === undefined ? promise : within(promise, timeout_s, what);
}
