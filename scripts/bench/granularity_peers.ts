/** What tasks that sleep are compared with: the same shells started by the vfork loop, and by xargs. */
import type { Crowd } from "./crowd.ts";
import { spawnFloor } from "./floor.ts";
import type { Side } from "./harness.ts";
import { commandSide } from "./peers.ts";

/** So many tasks of one duration. */
export interface Grain {
  readonly ms: number;
  readonly n: number;
}

type Peer = { side: Side; crowd: Crowd };

export function floorEfficiency({ ms, n }: Grain, slots: number): Peer {
  const floor = spawnFloor();
  const argv = floor.argvOf(n, slots, ["/bin/sh", "-c", `exec sleep ${ms / 1000}`]);
  return withStretch(commandSide(`floor ${ms} ms`, `${floor.name}, ${slots} in flight`, n, argv), { ms, n }, slots);
}

export function xargsEfficiency({ ms, n }: Grain, slots: number): Peer {
  const line = `seq ${n} | xargs -P${slots} -n1 /bin/sh -c 'exec sleep ${ms / 1000}'`;
  return withStretch(commandSide(`xargs ${ms} ms`, `-P${slots}`, n, ["/bin/sh", "-c", line]), { ms, n }, slots);
}

function withStretch({ side, crowd }: Peer, { ms, n }: Grain, slots: number): Peer {
  const round: Side["round"] = async () => {
    const reading = await side.round();
    return { ...reading, more: { stretch: reading.wall_ms / ((n * ms) / slots) } };
  };
  return { side: { ...side, round }, crowd };
}
