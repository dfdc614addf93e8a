/**
 * B5: how fast do calls of a Python function that does nothing go through gc? 10,000 in two slots, durable at every
 * hop, values read by the client. A second side gives each call 10 kB of arguments; a third is Parsl's
 * HighThroughputExecutor where a Python has it. Where none has, the gates are numbers alone (performance.md B5).
 */
import { type Bench, cpuEach, type Gate, type Opened, perSecond, type RunOptions, type Side, Skip } from "./harness.ts";
import { openHtex } from "./python_peer.ts";
import { World } from "./world.ts";

const perEnvelope = 500;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  if (Bun.which("python3", { PATH: "/usr/local/bin:/usr/bin:/bin" }) === null) throw new Skip("there is no python3");
  const n = Math.max(perEnvelope, Math.round(10_000 * options.scale));
  const world = await World.open(folder, { slots: 2 });
  const client = await world.client();
  const call = (bytes: number) => {
    const args = bytes === 0 ? [] : ["x".repeat(bytes)];
    return {
      python: {
        code: { kind: "source" as const, source: "def f(*args):\n    return None\n", entry: "f" },
        arguments: { kind: "json" as const, text: JSON.stringify({ args }) },
      },
    };
  };
  const ask = (count: number, bytes: number) =>
    client.ask({ do: "tasks", n: count, per_envelope: perEnvelope, spec: call(bytes) });
  await ask(Math.min(n, 1000), 0);
  const mode = `two warm interpreters, ${perEnvelope} calls an envelope, sealed, all durable, values read`;
  const side = (name: string, bytes: number) => ({
    name,
    mode,
    cpu_by: world.crowd.how,
    round: () => world.measured(n, () => ask(n, bytes)),
  });
  const htex = openHtex(folder);
  await htex?.program.all_ms(Math.min(n, 1000));
  const peer: Side[] = [];
  if (htex !== undefined) {
    const round = () => htex.measured(n, async () => ({ wall_ms: await htex.program.all_ms(n) }));
    const mode = "Parsl HighThroughputExecutor.submit, two workers, its defaults, nothing durable";
    peer.push({ name: "HTEX", mode, cpu_by: htex.crowd.how, round });
  }
  const beside: Gate = {
    what: "calls per second, ratio to HTEX",
    value: (of) => perSecond(of("gc")) / perSecond(of("HTEX")),
    limit: 1.5,
    better: "at least",
    goal: 10,
    peer: "Parsl HTEX",
  };
  return {
    sides: [side("gc", 0), side("gc, 10 kB", 10_000), ...peer],
    gates: [
      ...(htex === undefined ? [] : [beside]),
      {
        what: "calls per second",
        value: (of) => perSecond(of("gc")),
        limit: 2500,
        better: "at least",
        goal: 15_000,
      },
      {
        what: "CPU-µs per call over all processes",
        value: (of) => cpuEach(of("gc")),
        limit: 390,
        of_cpu: true,
        better: "at most",
        goal: 60,
      },
    ],
    close: async () => {
      await htex?.close();
      await world.close();
    },
  };
}

export const pythonCalls: Bench = {
  id: "B5",
  title: "10,000 calls of a Python function that does nothing, in two slots, durable",
  rounds: 7,
  calibrators: ["spawn"],
  open,
};
