/**
 * B1: how fast do small real commands go through gc? 5,000 times `/bin/true` in two slots, tasks and results durable at
 * every hop and gathered by the client, against xargs, which does nothing but start them, and the vfork floor.
 */
import { type Bench, cpuEach, type Opened, perSecond, type RunOptions } from "./harness.ts";
import { floorSide, xargsSide } from "./peers.ts";
import { World } from "./world.ts";

async function open(folder: string, options: RunOptions): Promise<Opened> {
  const n = Math.max(100, Math.round(5000 * options.scale));
  const xargs = xargsSide(n);
  const floor = floorSide(n);
  const peers = async (): Promise<void> => {
    await xargs.crowd.close();
    await floor.crowd.close();
  };
  if (options.peers_only) {
    const gate = {
      what: "CPU of xargs against the floor",
      value: (of: Parameters<Opened["gates"][number]["value"]>[0]) => cpuEach(of("xargs -P2")) / cpuEach(of("floor")),
      limit: 3,
      better: "at most",
      peer: "floor",
    } as const;
    return { sides: [xargs.side, floor.side], gates: [gate], close: peers };
  }
  const world = await World.open(folder, { slots: 2 });
  const client = await world.client();
  const spec = { argv: ["/bin/true"], output: "discard", sandbox: false } as const;
  const ask = (count: number) =>
    client.ask({ do: "tasks", n: count, per_envelope: 1000, spec: { ...spec, argv: ["/bin/true"] } });
  await ask(Math.min(n, 500));
  const round = () => world.measured(n, () => ask(n));
  const mode = "durable at every hop (outbox, relay, journal, spool), results and receipts included";
  return {
    sides: [{ name: "gc", mode, cpu_by: world.crowd.how, round }, xargs.side, floor.side],
    gates: [
      {
        what: "throughput against xargs -P2",
        value: (of) => perSecond(of("gc")) / perSecond(of("xargs -P2")),
        limit: 0.8,
        better: "at least",
        goal: 1.25,
        peer: "xargs -P2",
      },
      {
        what: "CPU per task against the floor",
        value: (of) => cpuEach(of("gc")) / cpuEach(of("floor")),
        limit: 1.6,
        of_cpu: true,
        better: "at most",
        goal: 1.3,
        peer: floor.side.mode,
      },
    ],
    close: async () => {
      await world.close();
      await peers();
    },
  };
}

export const shellTasks: Bench = {
  id: "B1",
  title: "5,000 × /bin/true in two slots, durable, against xargs -P2 and the vfork floor",
  rounds: 7,
  calibrators: ["spawn"],
  open,
};
