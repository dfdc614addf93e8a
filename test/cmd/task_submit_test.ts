import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { saveContext } from "../../core/config/context.ts";
import { CliHome } from "./task_cli.ts";

let here: CliHome;
beforeEach(async () => {
  here = await new CliHome().open();
});
afterEach(() => here.close());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
describe("gc submit", () => {
  test("prints the id and nothing else", async () => {
    const { code, stdout, stderr } = await here.gc(["submit", "--", "true"]);
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("prints an id for every line of a file, in the order of the lines", async () => {
    const lines = ['["echo","a"]', "", '"echo b; exit 2"', '{"argv":["echo","c"],"label":"third"}'];
    const { code, stdout, stderr } = await here.gc(["submit", "--file", "-"], { stdin: Buffer.from(lines.join("\n")) });
    const ids = stdout.trim().split("\n");
    expect(code).toBe(0);
    expect(ids.length).toBe(3);
    expect(stderr).toContain("gc wait --group ");
    await here.gc(["wait", ...ids]);
    const results = await Promise.all(ids.map((id) => here.gc(["result", id])));
    expect(results.map((each) => [each.stdout, each.code])).toEqual([
      ["a\n", 0],
      ["b\n", 2],
      ["c\n", 0],
    ]);
  });

  test("names the line that is wrong and submits nothing of its batch", async () => {
    for (const [line, words] of [
      ["{", "Line 2"],
      ["[]", "Line 2"],
      ['{"argv":["x"],"walltme_s":3}', '"walltime_s"'],
      ['{"label":"no command"}', "Line 2"],
      ['{"argv":["x"],"stdin":{"kind":"stream"}}', "Line 2"],
    ] as const) {
      const { code, stdout, stderr } = await here.gc(["submit", "--file", "-"], {
        stdin: Buffer.from(`["true"]\n${line}\n`),
      });
      expect({ code, stdout }).toEqual({ code: 65, stdout: "" });
      expect(stderr).toContain(words);
    }
    expect(here.world.envelopes.size).toBe(0);
  });

  test("sends 25,000 lines in batches of 10,000 with one group", async () => {
    here.world.fake = () => ({});
    writeFileSync(join(here.root, "tasks"), '["true"]\n'.repeat(25_000));
    const { code, stdout } = await here.gc(["submit", "--group", "many", "--file", join(here.root, "tasks")]);
    expect(code).toBe(0);
    expect(new Set(stdout.trim().split("\n")).size).toBe(25_000);
    expect([...here.world.envelopes.values()].map(({ header }) => header.count)).toEqual([10_000, 10_000, 5000]);
    const waited = await here.gc(["wait", "--group", "many", "--json"]);
    expect(JSON.parse(waited.stdout)).toMatchObject({ tasks: 25_000, ended: 25_000, classes: { ok: 25_000 } });
  }, 20_000);

  test("refuses a task of more than 10 MiB, with size and limit", async () => {
    writeFileSync(join(here.root, "big"), Buffer.alloc(10 * 1024 * 1024 + 1, 1));
    const { code, stderr } = await here.gc(["submit", "--stdin", join(here.root, "big"), "--", "cat"]);
    expect(code).toBe(65);
    expect(stderr).toContain("10485760");
  });

  test("keeps the task here when the relay is away, says so, and sends it with the next command", async () => {
    const path = join(here.root, "run", "elsewhere.sock");
    saveContext(here.home, "away", { kind: "unix", path }, true);
    const env = { GC_RELAY_WAIT: "0.3" };
    await here.gc(["ps"], { env });
    const known = JSON.parse(await Bun.file(here.home.known).text());
    known.endpoints[0].context = "away";
    writeFileSync(here.home.known, JSON.stringify(known), { mode: 0o600 });
    const { code, stdout, stderr } = await here.gc(["submit", "-e", "lab", "--", "true"], { env });
    expect({ code, stdout }).toEqual({ code: 75, stdout: "" });
    const id = /task ([0-9a-f-]{36}) waits in the outbox/.exec(stderr)?.[1] ?? "";
    expect(id).toMatch(uuid);
    expect(stderr).toContain("gc submit --flush");
    const why = await here.gc(["why", id, "--json"], { env });
    expect(JSON.parse(why.stdout)).toMatchObject({ state: "outbox", hint: "gc submit --flush" });
    await here.world.open(path);
    const flushed = await here.gc(["submit", "--flush", "--json"]);
    expect(JSON.parse(flushed.stdout)).toMatchObject({ waited: 1, sent: 1 });
    expect([...here.world.envelopes.keys()]).toEqual([id]);
    expect(existsSync(join(here.root, "sent", `${id}.task`))).toBe(true);
  }, 15_000);

  test("drops what was never sent when it is cancelled", async () => {
    saveContext(here.home, "away", { kind: "unix", path: join(here.root, "run", "no.sock") }, true);
    const env = { GC_RELAY_WAIT: "0.2" };
    await here.gc(["ps"], { env });
    const record = JSON.parse(await Bun.file(here.home.known).text());
    record.endpoints[0].context = "away";
    writeFileSync(here.home.known, JSON.stringify(record), { mode: 0o600 });
    const { stderr } = await here.gc(["submit", "-e", "lab", "--", "true"], { env });
    const id = /task ([0-9a-f-]{36}) waits/.exec(stderr)?.[1] ?? "";
    const { code, stderr: said } = await here.gc(["cancel", id], { env });
    expect(code).toBe(0);
    expect(said).toContain("dropped");
    expect((await here.gc(["submit", "--flush"], { env })).stderr).toContain("nothing waits");
  }, 15_000);
});
