/** The real world as one value, made once per process in `cmd/` and handed down to every living part. */
import { realClock } from "./clock.ts";
import type { Host, Log } from "./host.ts";
import { realRandom } from "./random.ts";

/** Clock, randomness, environment and name of this machine. The environment is copied: later changes are not seen. */
export function realHost(log: Log): Host {
  return {
    clock: realClock(),
    random: realRandom(),
    log,
    env: { ...process.env },
    get hostname() {
      return process.getBuiltinModule("node:os").hostname();
    },
  };
}
