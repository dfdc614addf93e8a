/**
 * How fast this machine is at this moment, in three small pieces: starting processes, making bytes durable, waking
 * another process over TCP. Run before each round; rounds in which the machine was another one are thrown away (H2).
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { spawnFloor } from "./floor.ts";
import { median } from "./statistics.ts";

/** Rates per second; larger is faster. */
export interface Calibration {
  readonly spawn: number;
  readonly fdatasync: number;
  readonly tcp: number;
}

export type Calibrator = keyof Calibration;

/** One look at the machine, about 0.3 s. `folder` is where durable things of the bench are written. */
export async function calibrate(folder: string): Promise<Calibration> {
  return { spawn: spawnRate(300), fdatasync: fdatasyncRate(folder, 100, 256), tcp: await tcpRate(200) };
}

/** Processes per second, two in flight. */
export function spawnRate(n: number): number {
  const child = Bun.spawnSync(spawnFloor().argv(n), { stdout: "pipe" });
  return Number(child.stdout.toString().split(" ")[0]);
}

/** Appends of `size` bytes per second, each durable before the next. Median of the single times, so one hiccup of the
 * disk does not count. */
export function fdatasyncRate(folder: string, n: number, size: number): number {
  const path = join(folder, `fdatasync.${process.pid}`);
  const file = openSync(path, "a", 0o600);
  const record = new Uint8Array(size).fill(120);
  const times: number[] = [];
  for (let i = 0; i < n; i++) {
    const begun_ms = performance.now();
    writeSync(file, record);
    fdatasyncSync(file);
    times.push(performance.now() - begun_ms);
  }
  closeSync(file);
  rmSync(path);
  return 1000 / median(times);
}

/** Round trips per second of 128 bytes with a process that was asleep. */
export async function tcpRate(n: number): Promise<number> {
  const echo = Bun.spawn([process.execPath, join(import.meta.dir, "echo.ts")], { stdout: "pipe", stdin: "ignore" });
  try {
    const reader = echo.stdout.getReader();
    const port = Number(new TextDecoder().decode((await reader.read()).value));
    let answered: (value: unknown) => void = () => {};
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => answered(undefined) } });
    const message = new Uint8Array(128);
    const times: number[] = [];
    for (let i = 0; i < n; i++) {
      const begun_ms = performance.now();
      await new Promise((resolve) => {
        answered = resolve;
        socket.write(message);
      });
      times.push(performance.now() - begun_ms);
    }
    socket.end();
    return 1000 / median(times);
  } finally {
    echo.kill();
    await echo.exited;
  }
}
