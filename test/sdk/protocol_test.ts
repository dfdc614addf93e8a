import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Running } from "../e2e/running.ts";
import { until } from "../e2e/until.ts";
import { PythonPlace } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

type Line = { [key: string]: unknown };

/** One `gc sdk serve`. */
class Served {
  readonly run: Running;
  constructor(env: { [name: string]: string } = {}) {
    this.run = place.start(["sdk", "serve"], { stdin: "pipe", env });
    this.say({ t: "hello", v: 1 });
  }
  say(...messages: (Line | string)[]): void {
    const text = messages.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
    this.run.child.stdin.write(`${text.join("\n")}\n`);
    void this.run.child.stdin.flush();
  }
  get lines(): Line[] {
    return this.run.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }
  line(wanted: Line): Promise<Line> {
    const fits = (line: Line) => Object.entries(wanted).every(([key, value]) => line[key] === value);
    return until(
      () => this.lines.find(fits),
      () => `${JSON.stringify(wanted)} in ${this.run.stdout}${this.run.stderr}`,
    );
  }
  async end(): Promise<number> {
    await this.run.child.stdin.end();
    return (await this.run.end()).code;
  }
}

const submit = (ref: number, key: string, more: Line = {}): Line => ({
  t: "submit",
  ref,
  key,
  base: {},
  tasks: [{ argv: ["echo", key] }],
  ...more,
});

describe("gc sdk serve", () => {
  test("greets, takes tasks, tells results, and ends with its input once all is stored", async () => {
    const served = new Served();
    expect(await served.line({ t: "hello" })).toMatchObject({ v: 1, version: "0.1.0" });
    served.say(submit(1, "first-key", { tasks: [{ argv: ["echo", "a"] }, { script: "exit 3" }] }));
    const { ids } = (await served.line({ t: "submitted", ref: 1 })) as { ids: string[] };
    expect(await served.line({ t: "result", id: ids[0] })).toMatchObject({ result: { stdout: { text: "a\n" } } });
    expect(await served.line({ t: "result", id: ids[1] })).toMatchObject({ result: { outcome: { exit_code: 3 } } });
    served.say(submit(2, "last-key!", { tasks: [{ argv: ["sleep", "30"] }] }));
    expect(await served.end()).toBe(0);
    const { ids: last } = served.lines.find(({ ref }) => ref === 2) as { ids: string[] };
    expect((await place.gc(["cancel", last[0] ?? ""])).code).toBe(0);
  }, 30_000);

  test("the same key is the same batch, also for the next process", async () => {
    const group = "3b0d2b2e-7c0f-4a52-9d4c-0d3c52a7b001";
    const first = new Served();
    first.say(submit(1, "key-of-one", { group }));
    const { ids } = (await first.line({ t: "submitted" })) as { ids: string[] };
    first.run.kill("SIGKILL");
    const second = new Served();
    second.say(submit(7, "key-of-one", { group, again: true }), submit(8, "key-of-two", { group, again: true }));
    expect(await second.line({ t: "submitted", ref: 7 })).toMatchObject({ ids });
    await second.line({ t: "result", id: ids[0] });
    const other = (await second.line({ t: "submitted", ref: 8 })) as { ids: string[] };
    expect(other.ids).not.toEqual(ids);
    second.say({ t: "reload", ref: 9, group });
    expect(await second.line({ t: "tasks" })).toMatchObject({ ids: [...ids, ...other.ids] });
    expect(await second.end()).toBe(0);
  }, 30_000);

  test("what is wrong is told by its number, and nothing else suffers", async () => {
    const served = new Served();
    served.say(
      "{",
      { t: "submit", ref: 1 },
      { t: "nonsense", ref: 2 },
      submit(3, "no-command", { tasks: [{}] }),
      submit(4, "no-endpoint", { endpoint: "nowhere" }),
      { t: "cancel", ref: 5, ids: ["00000000-0000-8000-8000-000000000000"] },
      { t: "whoami", ref: 6 },
    );
    for (const [ref, code] of [
      [1, "data.invalid"],
      [2, "data.invalid"],
      [3, "task.invalid"],
      [4, "endpoint.unknown"],
      [5, "task.unknown"],
    ] as const) {
      expect(await served.line({ t: "error", ref })).toMatchObject({ code });
    }
    expect(await served.line({ t: "whoami", ref: 6 })).toMatchObject({ context: "local" });
    expect(await served.end()).toBe(0);
  }, 30_000);

  test("several thousand tasks in flight, to a reader that is slow at first", async () => {
    const served = new Served();
    await served.line({ t: "hello" });
    const tasks = Array.from({ length: 500 }, () => ({ python: call }));
    for (let ref = 1; ref <= 8; ref += 1) served.say(submit(ref, `many-${ref}-key`, { tasks }));
    await until(() => served.lines.filter(({ t }) => t === "result").length === 4000, "4,000 results", 30_000, 100);
    expect(new Set(served.lines.flatMap(({ t, id }) => (t === "result" ? [id] : []))).size).toBe(4000);
    expect(await served.end()).toBe(0);
  }, 60_000);

  test("another version of the protocol is refused, with what to do", async () => {
    const run = place.start(["sdk", "serve"], { stdin: '{"t":"hello","v":2}\n' });
    const { code, stdout } = await run.end();
    expect(code).toBe(76);
    expect(JSON.parse(stdout)).toMatchObject({
      t: "error",
      code: "sdk.version",
      hint: "gc sdk python > gc_compute.py",
    });
  }, 30_000);

  test("gc sdk python prints the SDK as it is here", async () => {
    const { stdout } = await place.gc(["sdk", "python"]);
    expect(stdout).toBe(await Bun.file(`${import.meta.dir}/../../sdk/python/gc_compute.py`).text());
  }, 30_000);
});

const call = {
  code: { kind: "source", source: "def f(): pass", entry: "f" },
  arguments: { kind: "json", text: '{"args":[],"kwargs":{}}' },
};
