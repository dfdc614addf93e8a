/**
 * The spawn loop of `spawn_floor.c` for machines without a C compiler: `spawn_loop.ts N INFLIGHT PROGRAM [ARGUMENTS]`
 * prints "spawns/s CPU-us-per-spawn". CPU of the loop itself is counted too.
 */
const [count, most, program] = [Number(process.argv[2]), Number(process.argv[3]), process.argv.slice(4)];
let left = count;
let children_us = 0;

async function lane(): Promise<void> {
  while (left-- > 0) {
    const child = Bun.spawn(program, { stdio: ["ignore", "ignore", "ignore"], env: { PATH: "/usr/bin:/bin" } });
    await child.exited;
    children_us += Number(child.resourceUsage()?.cpuTime.total ?? 0);
  }
}

const begun_ms = performance.now();
const own = process.cpuUsage();
await Promise.all(Array.from({ length: most }, lane));
const used = process.cpuUsage(own);
const seconds = (performance.now() - begun_ms) / 1000;
console.log(`${(count / seconds).toFixed(0)} ${((children_us + used.user + used.system) / count).toFixed(1)}`);

export {};
