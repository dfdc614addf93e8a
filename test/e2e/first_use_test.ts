import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

let place: Throwaway;
beforeEach(() => {
  place = new Throwaway();
});
afterEach(() => place.close());

const daemons = () => ["__relay", "__endpoint", "__worker"].map((role) => place.processesOf(role).length);

describe("in an empty home", () => {
  test("the card works as written: configure, start, run, stop", async () => {
    const configured = await place.must(["endpoint", "configure", "my-endpoint"]);
    expect(configured).toContain(join(place.home, "endpoints/my-endpoint/config.yaml"));
    expect(configured).toMatch(/[0-9a-f-]{36}/);
    expect(configured).toContain("gc endpoint start my-endpoint");
    await place.must(["endpoint", "start", "--detach", "my-endpoint"]);
    expect(await place.must(["run", "--endpoint", "my-endpoint", "--", "hostname"])).toBe(hostname());
    await place.must(["endpoint", "stop", "my-endpoint"]);
    expect(place.processesOf("__endpoint")).toEqual([]);
    await until(() => place.processesOf("__worker").length === 0, "its workers to end");
  }, 20_000);

  test("gc run starts what it needs, once, however many begin at the same time", async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, (_, i) => place.gc(["run", "--", "echo", `${i}`])));
    expect(runs.map(({ code, stdout, stderr }) => ({ code, stdout, stderr }))).toEqual(
      Array.from({ length: 6 }, (_, i) => ({ code: 0, stdout: `${i}\n`, stderr: "" })),
    );
    expect(daemons()).toEqual([1, 1, 1]);
  }, 30_000);

  test("nothing of it can be read by others, whatever the umask", async () => {
    expect((await place.sh(`umask 000; "$gc" run -- true`)).code).toBe(0);
    const open: string[] = [];
    const walk = (dir: string): void => {
      for (const entry of readdirSync(dir, { withFileTypes: true })) {
        const path = join(dir, entry.name);
        if ((statSync(path).mode & 0o077) !== 0) open.push(path.slice(place.home.length));
        if (entry.isDirectory()) walk(path);
      }
    };
    expect(statSync(place.home).mode & 0o777).toBe(0o700);
    walk(place.home);
    expect(open).toEqual([]);
  });

  test("only asking makes nothing and starts nothing", async () => {
    for (const words of [["--version"], ["--help"], ["help", "run"], ["endpoint", "list"], ["context", "list"]]) {
      const { hung, stderr } = await place.gc(words, { env: { GC_RELAY_WAIT: "0.2" } });
      expect({ words, hung }).toEqual({ words, hung: false });
      expect(stderr).not.toMatch(/bug:/);
    }
    expect(daemons()).toEqual([0, 0, 0]);
  });
});

describe("a home folder", () => {
  test("may have a name with spaces and quotes, far away, behind a link", async () => {
    const deep = join(place.dir, "a 'quoted' \"näme\" $HOME", "x".repeat(80), "y".repeat(80));
    mkdirSync(deep, { recursive: true });
    symlinkSync(deep, join(place.dir, "link"));
    for (const home of [join(deep, "home"), join(place.dir, "link", "home2"), "relative/home"]) {
      const { code, stdout, stderr } = await place.gc(["run", "--shell", 'cd "$GC_TASK_SANDBOX_DIR" && echo fine'], {
        env: { GC_HOME: home },
      });
      expect({ home, code, stdout, stderr }).toEqual({ home, code: 0, stdout: "fine\n", stderr: "" });
    }
  }, 20_000);

  test("that others may write to is refused, with what to type", async () => {
    mkdirSync(place.home, { mode: 0o700 });
    await place.sh('chmod 777 "$GC_HOME"');
    const { code, stderr } = await place.gc(["run", "--", "true"]);
    expect(code).toBe(125);
    expect(stderr).toMatch(/chmod/);
  });

  test("that is a file is told as one", async () => {
    await Bun.write(place.home, "x");
    const { code, stderr } = await place.gc(["run", "--", "true"]);
    expect(code).toBe(125);
    expect(stderr).toContain(place.home);
    expect(stderr).not.toMatch(/bug:/);
  });

  test("that vanishes under running daemons is not brought back by them", async () => {
    await place.must(["run", "--", "true"]);
    await place.sh('mv "$GC_HOME" "$GC_HOME.gone" && rm -rf "$GC_HOME.gone"');
    // They look at it again and again: time for a few looks, for nothing can be awaited that does not happen.
    await Bun.sleep(300);
    expect(existsSync(join(place.home, "identity.json"))).toBe(false);
  });
});

describe("an endpoint", () => {
  test("in the foreground ends at Ctrl-C, with its workers and its lease", async () => {
    await place.must(["endpoint", "configure", "front", "--yes"]);
    const run = place.terminal(["endpoint", "start", "front"]);
    await until(() => /running/.test(run.screen), "the endpoint to be up");
    expect(await place.must(["run", "-e", "front", "--", "echo", "hi"])).toBe("hi");
    const workers = place.processesOf("__worker");
    run.type("\x03");
    const { hung } = await run.end(15_000);
    expect(hung).toBe(false);
    await until(() => !workers.some(isAlive), "its workers to end");
    await place.must(["endpoint", "start", "--detach", "front"]);
  }, 30_000);

  test("is configured once, keeps its id with --force, and is deleted only when told so", async () => {
    const id = async () => /[0-9a-f-]{36}/.exec(await place.must(["endpoint", "show", "one"]))?.[0];
    await place.must(["endpoint", "configure", "one", "--yes"]);
    const before = await id();
    const again = await place.gc(["endpoint", "configure", "one", "--yes"]);
    expect(again.code).toBe(73);
    expect(again.stderr).toContain("--force");
    await place.must(["endpoint", "configure", "one", "--yes", "--force", "--slots", "3"]);
    expect(await id()).toBe(before);
    await place.must(["endpoint", "start", "--detach", "one"]);
    const running = await place.gc(["endpoint", "delete", "one", "--yes"]);
    expect(running.code).not.toBe(0);
    expect(running.stderr).toContain("gc endpoint stop one");
    await place.must(["endpoint", "stop", "one"]);
    expect((await place.gc(["endpoint", "delete", "one"])).code).toBe(64);
    await place.must(["endpoint", "delete", "one", "--yes"]);
    expect(existsSync(join(place.home, "endpoints/one"))).toBe(false);
  }, 20_000);

  test("that is stopped keeps what waits, and runs it after the next start", async () => {
    await place.must(["endpoint", "configure", "narrow", "--yes", "--slots", "1"]);
    await place.must(["endpoint", "start", "--detach", "narrow"]);
    const gate = join(place.cwd, "gate");
    const first = await place.must([
      "submit",
      "-e",
      "narrow",
      "--on-lost",
      "rerun",
      "--shell",
      `while [ ! -e ${gate} ]; do sleep 0.02; done; echo first`,
    ]);
    const second = await place.must(["submit", "-e", "narrow", "--", "echo", "second"]);
    await until(async () => (await place.why(first)).state === "running", "the first to run");
    await place.must(["endpoint", "stop", "narrow"]);
    await Bun.write(gate, "");
    await place.must(["endpoint", "start", "--detach", "narrow"]);
    expect((await place.gc(["result", "--wait", second])).stdout).toBe("second\n");
    const { code, stdout } = await place.gc(["result", "--wait", first]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "first\n" });
  }, 30_000);
});
