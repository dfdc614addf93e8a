import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

let place: Throwaway;
beforeEach(() => {
  place = new Throwaway();
});
afterEach(() => place.close());

const outbox = () => readdirSync(join(place.home, "outbox")).filter((name) => !name.startsWith("."));
const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** A relay, and the endpoint "lab" which has been seen. */
async function begin(): Promise<void> {
  await place.must(["relay", "up", "--detach"]);
  await place.must(["endpoint", "configure", "lab", "--yes"]);
  await place.must(["endpoint", "start", "--detach", "lab"]);
  expect(await place.must(["run", "-e", "lab", "--", "echo", "up"])).toBe("up");
}

/** Nothing is started by itself, and little patience. */
const noRelay = { env: { GC_AUTOSTART: "0", GC_RELAY_WAIT: "0.5" } };

describe("while the relay is away", () => {
  test("a task waits in the outbox and says so; it arrives when the relay is up, and runs once", async () => {
    await begin();
    await place.must(["relay", "down"]);
    const witness = join(place.cwd, "witness");
    const task = ["submit", "-e", "lab", "--shell", `printf x >>${witness}; echo late`];
    const submitted = await place.gc(task, noRelay);
    expect(submitted.code).toBe(75);
    expect(submitted.stderr).toMatch(/outbox[\s\S]*gc submit --flush/);
    expect(submitted.stderr).not.toMatch(/bug:/);
    const id = uuid.exec(submitted.stdout + submitted.stderr)?.[0] ?? "none";
    expect(outbox()).toHaveLength(1);
    expect((await place.gc(["ps"], noRelay)).stdout).toContain(id.slice(0, 8));
    expect((await place.gc(["why", id], noRelay)).stdout).toMatch(/outbox/);

    await place.must(["relay", "up", "--detach"]);
    await place.must(["submit", "--flush"]);
    expect((await place.gc(["result", "--wait", id])).stdout).toBe("late\n");
    expect(readFileSync(witness, "utf8")).toBe("x");
    expect(outbox()).toHaveLength(0);
  }, 30_000);

  test("any later command brings the task to the relay", async () => {
    await begin();
    await place.must(["relay", "down"]);
    const submitted = await place.gc(["submit", "-e", "lab", "--", "echo", "carried"], noRelay);
    const id = uuid.exec(submitted.stdout + submitted.stderr)?.[0] ?? "none";
    await place.must(["relay", "up", "--detach"]);
    expect(await place.must(["run", "-e", "lab", "--", "echo", "other"])).toBe("other");
    expect((await place.gc(["result", "--wait", id])).stdout).toBe("carried\n");
  }, 30_000);

  test("gc run says so with 125, and the task can be dropped", async () => {
    await begin();
    await place.must(["relay", "down"]);
    const witness = join(place.cwd, "never");
    const run = await place.gc(["run", "-e", "lab", "--", "touch", witness], noRelay);
    expect({ code: run.code, stdout: run.stdout, hung: run.hung }).toEqual({ code: 125, stdout: "", hung: false });
    expect(run.stderr).toMatch(/outbox[\s\S]*gc cancel/);
    const id = uuid.exec(run.stderr)?.[0] ?? "none";
    expect((await place.gc(["cancel", id], noRelay)).code).toBe(0);
    expect(outbox()).toHaveLength(0);
    await place.must(["relay", "up", "--detach"]);
    await place.must(["run", "-e", "lab", "--", "true"]);
    expect(await Bun.file(witness).exists()).toBe(false);
  }, 30_000);

  test("questions end with what to do next, never hang and never blame the person", async () => {
    await begin();
    const id = await place.must(["submit", "-e", "lab", "--", "true"]);
    await place.gc(["wait", id]);
    await place.must(["relay", "down"]);
    for (const words of [
      ["result", id],
      ["logs", id],
      ["wait", id],
      ["relay", "status"],
      ["endpoint", "status", "lab"],
      ["doctor"],
      ["endpoint", "list"],
    ]) {
      const { hung, stderr, stdout, code } = await place.gc(words, noRelay);
      expect({ words, hung, bug: /bug:|\n\s+at /.test(stderr) }).toEqual({ words, hung: false, bug: false });
      if (code !== 0) expect(stderr + stdout).toMatch(/gc |relay/);
    }
  }, 60_000);

  test("--timeout is kept", async () => {
    await begin();
    const id = await place.must(["submit", "-e", "lab", "--", "true"]);
    await place.gc(["wait", id]);
    await place.must(["relay", "down"]);
    const began_ms = performance.now();
    const { code } = await place.gc(["wait", "--timeout", "0.5s", id], { env: { GC_AUTOSTART: "0" } });
    expect(code).toBeOneOf([69, 124]);
    expect(performance.now() - began_ms).toBeLessThan(5000);
  }, 20_000);

  test("a running task goes on, and its result comes when the relay is back", async () => {
    await begin();
    const gate = join(place.cwd, "gate");
    const id = await place.must([
      "submit",
      "-e",
      "lab",
      "--shell",
      `while [ ! -e ${gate} ]; do sleep 0.02; done; echo done`,
    ]);
    await until(async () => (await place.why(id)).state === "running", "the task to run");
    await place.must(["relay", "down"]);
    writeFileSync(gate, "");
    await place.must(["relay", "up", "--detach"]);
    expect((await place.gc(["result", "--wait", id])).stdout).toBe("done\n");
  }, 30_000);
});

describe("an endpoint", () => {
  test("started a second time refuses and says where it runs", async () => {
    await begin();
    const [pid] = place.processesOf("__endpoint lab");
    for (const words of [
      ["endpoint", "start", "lab"],
      ["endpoint", "start", "--detach", "lab"],
    ]) {
      const { code, stdout, stderr, hung } = await place.gc(words);
      expect({ stdout, hung }).toEqual({ stdout: "", hung: false });
      expect(code).not.toBe(0);
      expect(stderr).toContain(`process ${pid}`);
      expect(stderr).toContain("gc endpoint stop lab");
    }
    expect(isAlive(pid ?? 0)).toBe(true);
  }, 20_000);

  test("that was killed is started again: its lease is that of a dead process, its task is adopted", async () => {
    await begin();
    const witness = join(place.cwd, "witness");
    const gate = join(place.cwd, "gate");
    const line = `printf x >>${witness}; while [ ! -e ${gate} ]; do sleep 0.02; done; echo survived`;
    const id = await place.must(["submit", "-e", "lab", "--shell", line]);
    await until(() => Bun.file(witness).exists(), "the task to run");
    const [pid = 0] = place.processesOf("__endpoint lab");
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid), "the endpoint to be gone");
    await place.must(["endpoint", "start", "--detach", "lab"]);
    writeFileSync(gate, "");
    expect((await place.gc(["result", "--wait", id])).stdout).toBe("survived\n");
    expect(readFileSync(witness, "utf8")).toBe("x");
  }, 30_000);

  test("is not kept from starting by a lease whose pid now belongs to somebody else", async () => {
    await begin();
    await place.must(["endpoint", "stop", "lab"]);
    const path = join(place.home, "endpoints/lab/lease.json");
    const holder = {
      v: 1,
      what: 'endpoint "lab"',
      token: "t",
      taken_ms: 1,
      pid: process.pid,
      starttime: 1,
      host: (await place.sh("hostname")).stdout.trim(),
      boot_id: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    };
    writeFileSync(path, JSON.stringify(holder), { mode: 0o600 });
    await place.must(["endpoint", "start", "--detach", "lab"]);
    expect(await place.must(["run", "-e", "lab", "--", "echo", "fine"])).toBe("fine");
  }, 20_000);

  test("is not taken over while another host may hold it", async () => {
    await begin();
    await place.must(["endpoint", "stop", "lab"]);
    const path = join(place.home, "endpoints/lab/lease.json");
    const holder = {
      v: 1,
      what: 'endpoint "lab"',
      token: "t",
      taken_ms: Date.now(),
      pid: 4242,
      starttime: 1,
      host: "login07",
      boot_id: "another",
    };
    writeFileSync(path, JSON.stringify(holder), { mode: 0o600 });
    const { code, stderr } = await place.gc(["endpoint", "start", "--detach", "lab"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("login07");
    expect(stderr).toContain("4242");
  }, 20_000);

  test("whose lease file is damaged still starts, or says which file", async () => {
    await begin();
    await place.must(["endpoint", "stop", "lab"]);
    writeFileSync(join(place.home, "endpoints/lab/lease.json"), "{", { mode: 0o600 });
    const { code, stderr } = await place.gc(["endpoint", "start", "--detach", "lab"]);
    if (code !== 0) expect(stderr).toContain("lease.json");
    expect(stderr).not.toMatch(/bug:/);
  }, 20_000);
});
