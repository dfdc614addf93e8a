/**
 * B3: how long does a person wait for `gc run -- true` when everything runs already? Against ssh with a master
 * connection that is open. Start of the program, connection, path to the worker and back, durable results: all of it
 * counts.
 */
import { type Bench, type Opened, type RunOptions, type Side, Skip } from "./harness.ts";
import { openSsh } from "./ssh_peer.ts";
import { startMany } from "./start.ts";
import { World } from "./world.ts";

async function open(folder: string, options: RunOptions): Promise<Opened> {
  const runs = Math.max(5, Math.round(30 * options.scale));
  const ssh = await openSsh(folder);
  const sides: Side[] = [
    {
      name: "ssh",
      mode: "ControlMaster, open already; nothing durable",
      cpu_by: "rusage of the client",
      round: () => startMany(ssh.warm("true"), runs, { PATH: "/usr/bin:/bin", HOME: folder }),
    },
  ];
  if (options.peers_only) {
    await ssh.close();
    throw new Skip("ssh works here; there is nothing else to compare it with");
  }
  let world: World;
  try {
    world = await World.open(folder, { slots: 2 });
  } catch (error) {
    await ssh.close();
    throw error;
  }
  const { argv, env } = world.bareCommand(["run", "--endpoint", "bench", "--", "true"]);
  await startMany(argv, 5, env);
  sides.unshift({
    name: "gc run -- true",
    mode: "relay, endpoint and worker warm; durable at every hop",
    cpu_by: "rusage of the client",
    round: () => startMany(argv, runs, env),
  });
  return {
    sides,
    gates: [
      {
        what: "gc run -- true, median time, against ssh with ControlMaster",
        value: (of) => (of("gc run -- true").more?.p50_ms ?? Number.NaN) / (of("ssh").more?.p50_ms ?? Number.NaN),
        limit: 3,
        better: "at most",
        goal: 1.5,
        peer: "ssh ControlMaster",
      },
    ],
    close: async () => {
      await world.close();
      await ssh.close();
    },
  };
}

export const oneShot: Bench = {
  id: "B3",
  title: "gc run -- true against ssh with ControlMaster",
  rounds: 7,
  calibrators: ["spawn"],
  open,
};
