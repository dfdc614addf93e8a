/** B7: how long does gc take to say its version? Against the smallest program that Bun can compile. */
import { compiledHello } from "./floor.ts";
import { type Bench, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { quantile } from "./statistics.ts";
import { executable } from "./world.ts";

async function open(_folder: string, options: RunOptions): Promise<Opened> {
  const runs = Math.max(5, Math.round(40 * options.scale));
  const hello = await compiledHello();
  const sides = [{ name: "hello", mode: "console.log, compiled", round: () => startMany([hello], runs) }];
  if (options.peers_only) throw new Skip("there is only the hello to run; nothing to compare it with");
  const gc = executable();
  sides.unshift(
    { name: "gc --version", mode: "answers before it loads anything", round: () => startMany([gc, "--version"], runs) },
    { name: "gc --help", mode: "loads the list of commands", round: () => startMany([gc, "--help"], runs) },
  );
  return {
    sides,
    gates: [
      {
        what: "gc --version, median time, against a compiled Bun hello",
        value: (of) => (of("gc --version").more?.p50_ms ?? Number.NaN) / (of("hello").more?.p50_ms ?? Number.NaN),
        limit: 2.5,
        better: "at most",
        goal: 1.5,
        peer: "compiled Bun hello",
      },
    ],
    close: async () => {},
  };
}

/** Starts a program again and again, one at a time, until each has ended. */
export async function startMany(
  argv: readonly string[],
  runs: number,
  env: { [name: string]: string } = { PATH: "/usr/bin:/bin", HOME: "/nonexistent" },
): Promise<Reading> {
  const times_ms: number[] = [];
  let cpu_us = 0;
  for (let run = 0; run < runs; run++) {
    const begun_ms = performance.now();
    const child = Bun.spawn([...argv], { env, stdio: ["ignore", "ignore", "inherit"] });
    const code = await child.exited;
    times_ms.push(performance.now() - begun_ms);
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}`);
    cpu_us += Number(child.resourceUsage()?.cpuTime.total ?? 0);
  }
  const more = { p50_ms: quantile(times_ms, 0.5), p99_ms: quantile(times_ms, 0.99) };
  return { n: runs, wall_ms: times_ms.reduce((sum, each) => sum + each, 0), cpu_us, more };
}

export const start: Bench = {
  id: "B7",
  title: "gc --version against a compiled Bun hello",
  rounds: 9,
  calibrators: ["spawn"],
  open,
};
