/** Other programs as sides of a bench: a whole command per round, all its processes in one crowd. */
import { type Crowd, gatherCrowd } from "./crowd.ts";
import { spawnFloor } from "./floor.ts";
import type { Side } from "./harness.ts";

/** `seq N | xargs -P2 -n1 /bin/true`: what people use for many small commands on one machine. */
export function xargsSide(n: number): { side: Side; crowd: Crowd } {
  return commandSide("xargs -P2", "nothing durable, exit codes gathered", n, [
    "/bin/sh",
    "-c",
    `seq ${n} | xargs -P2 -n1 /bin/true`,
  ]);
}

/** The spawn loop. */
export function floorSide(n: number): { side: Side; crowd: Crowd } {
  const floor = spawnFloor();
  return commandSide("floor", `${floor.name}, two in flight, nothing else`, n, floor.argv(n));
}

/** A command that does `n` things. */
export function commandSide(
  name: string,
  mode: string,
  n: number,
  argv: readonly string[],
): { side: Side; crowd: Crowd } {
  const crowd = gatherCrowd(`GC_BENCH_SIDE=${name}`);
  const round = async () => {
    const before_us = crowd.cpu_us();
    const begun_ms = performance.now();
    const child = Bun.spawn(crowd.join(argv), {
      env: { PATH: "/usr/bin:/bin", GC_BENCH_SIDE: name },
      stdio: ["ignore", "ignore", "inherit"],
    });
    crowd.know(child.pid);
    const code = await child.exited;
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}`);
    const wall_ms = performance.now() - begun_ms;
    // Without a cgroup the tree is gone by now; the kernel's sum for the child that we waited for is the same thing.
    const whole_us = crowd.how === "cgroup v2 cpu.stat" ? crowd.cpu_us() - before_us : totalOf(child);
    return { n, wall_ms, cpu_us: whole_us };
  };
  const cpu_by = crowd.how === "cgroup v2 cpu.stat" ? crowd.how : "rusage of the command and what it waited for";
  return { side: { name, mode, cpu_by, round }, crowd };
}

function totalOf(child: Bun.Subprocess): number {
  return Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN);
}
