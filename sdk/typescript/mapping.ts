/** One call per item of a source, values in its order. Knows nothing of what is called. */
import type { ComputeFuture } from "./compute_future.ts";
import { limitOf, type WaitOptions } from "./waiting.ts";

/** Where items come from. */
export type MapItem<T> = Iterable<T> | AsyncIterable<T>;

export interface MapOptions extends WaitOptions {
  /** Each item is the list of the arguments of its call. */
  spread?: boolean;
  /** How many calls are ahead of the value that is taken, when the source is asynchronous; default 1000. */
  inFlight?: number;
}

/** Submits for every item. @throws the first failure, in order; what has not ended is cancelled then. */
export function mapOver<I, T>(
  submit: (item: I) => ComputeFuture<T>,
  items: MapItem<I>,
  options: MapOptions,
): AsyncGenerator<T, void, void> {
  if (!(Symbol.asyncIterator in items)) return inOrder([...items].map(submit), undefined, options);
  const source = items[Symbol.asyncIterator]();
  const next = async (): Promise<ComputeFuture<T> | undefined> => {
    const { done, value } = await source.next();
    return done === true ? undefined : submit(value);
  };
  return inOrder([], { next, end: async () => void (await source.return?.()) }, options);
}

interface Source<T> {
  next(): Promise<ComputeFuture<T> | undefined>;
  end(): Promise<void>;
}

async function* inOrder<T>(
  futures: ComputeFuture<T>[],
  source: Source<T> | undefined,
  options: MapOptions,
): AsyncGenerator<T, void, void> {
  const left = limitOf(options);
  const inFlight = Math.max(1, options.inFlight ?? 1000);
  let is_dry = source === undefined;
  try {
    while (futures.length > 0 || !is_dry) {
      // A source may be slow: what has ended is given out before more is read.
      while (!is_dry && futures.length < inFlight && futures[0]?.done() !== true) {
        const future = await source?.next();
        if (future === undefined) is_dry = true;
        else futures.push(future);
      }
      const [first] = futures;
      if (first === undefined) return;
      const value = await first.result(left());
      futures.shift();
      yield value;
    }
  } finally {
    for (const future of futures) future.cancel();
    if (!is_dry) await source?.end();
  }
}
