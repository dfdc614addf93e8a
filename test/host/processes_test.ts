/** Processes are known by more than a number that is used again. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  alive,
  descendants,
  environmentValue,
  identify,
  processRow,
  processTable,
  signal,
  spawnDetached,
} from "../../core/host/processes.ts";

const dirs: string[] = [];
const pids: number[] = [];
afterEach(() => {
  for (const pid of pids.splice(0)) signal(pid, "SIGKILL");
  for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
});

function detached(argv: string[], env: { [name: string]: string } = {}): { pid: number; log: string } {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-processes-"));
  dirs.push(dir);
  const log = join(dir, "log");
  const pid = spawnDetached(argv, { log_path: log, env: { PATH: process.env.PATH ?? "", ...env }, cwd: dir });
  pids.push(pid);
  return { pid, log };
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await Bun.sleep(10);
  expect(holds()).toBe(true);
}

describe("identify()", () => {
  test("names a living process, and alive() does not believe another that has its number", () => {
    const own = identify(process.pid);
    if (own === undefined) throw new Error("We are alive");
    expect(alive(own)).toBe(true);
    expect(alive({ ...own, starttime: "1" })).toBe(false);
    expect(alive({ ...own, boot_id: "another boot" })).toBe(false);
  });

  test("counts a zombie as dead", async () => {
    const { pid } = detached(["sh", "-c", "sleep 0.05 & exec sleep 60"]);
    await until(() => processTable().some((row) => row.ppid === pid && row.state === "Z"));
    const zombie = processTable().find((row) => row.ppid === pid && row.state === "Z");
    expect(identify(zombie?.pid ?? 0)).toBeUndefined();
  });

  test("knows nothing of a process that is not there", () => {
    expect(identify(2 ** 30)).toBeUndefined();
  });
});

describe("spawnDetached()", () => {
  test("starts a session of its own, with its output in a private file and only the given environment", async () => {
    const { pid, log } = detached(["sh", "-c", "env; echo err >&2; exec sleep 60"], { ONLY: "this" });
    await until(() => fs.readFileSync(log, "utf8").includes("err"));
    expect(processRow(pid)).toMatchObject({ pid, pgid: pid, session: pid });
    expect(fs.statSync(log).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(log, "utf8")).toContain("ONLY=this\n");
    expect(fs.readFileSync(log, "utf8")).not.toContain("HOME=");
  });

  test("says which command could not be started", () => {
    expect(() => detached(["/no/such/program"])).toThrow('Cannot start "/no/such/program"');
  });
});

describe("environmentValue()", () => {
  test("finds a variable by its whole name, in another process", async () => {
    const { pid } = detached(["sleep", "60"], { XGC_TASK_UUID: "wrong", GC_TASK_UUID: "right", EMPTY: "" });
    await until(() => environmentValue(pid, "GC_TASK_UUID") !== undefined);
    expect(environmentValue(pid, "GC_TASK_UUID")).toBe("right");
    expect(environmentValue(pid, "EMPTY")).toBe("");
    expect(environmentValue(pid, "TASK_UUID")).toBeUndefined();
    expect(environmentValue(2 ** 30, "PATH")).toBeUndefined();
  });
});

test("descendants() finds children of children", async () => {
  const { pid } = detached(["sh", "-c", "sh -c 'sleep 60; :' & wait"]);
  await until(() => descendants([pid]).size >= 2);
  expect(descendants([pid]).has(pid)).toBe(false);
});
