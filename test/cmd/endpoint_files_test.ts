/** configure, list, show, logs, delete: what they answer, what they refuse, and that they never wait for an answer in
 * vain. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { takeLease } from "../../core/host/lease.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import { gcArgv, Place } from "./command_line.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const dirOf = (name: string) => join(place.home, "endpoints", name);
const host = realHost(
  createLog(
    () => {},
    "error",
    () => 0,
  ),
);

describe("gc endpoint configure", () => {
  test("prints path, id and the next command, and asks nothing without a terminal", async () => {
    const ran = await place.gc(["endpoint", "configure", "my-endpoint"]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    const [path, id, next] = ran.stdout.trimEnd().split("\n");
    expect(path).toBe(`Wrote ${join(dirOf("my-endpoint"), "config.yaml")}`);
    expect(id?.replace("Endpoint id: ", "")).toMatch(idPattern);
    expect(next).toBe("Next: gc endpoint start my-endpoint");
    expect(statSync(join(dirOf("my-endpoint"), "key.json")).mode & 0o777).toBe(0o600);
  });

  test("answers with the id alone when quiet, and with one document as JSON", async () => {
    const quiet = await place.gc(["endpoint", "configure", "a", "-q"]);
    expect(quiet.stdout.trimEnd()).toMatch(idPattern);
    const json = JSON.parse((await place.gc(["endpoint", "configure", "b", "--json"])).stdout);
    expect(json).toMatchObject({
      schema: "gc/endpoint_configured/v1",
      name: "b",
      replaced: false,
      next: "gc endpoint start b",
    });
  });

  test("writes what every flag says", async () => {
    const user = "0d757e2c-e4b6-883c-b854-d8a17f7e649b";
    const numbers = "--slots 4 --workers 2 --memory 8G --log-level debug --display-name Lab";
    const flags = `${numbers} --allow-user ${user} --public --env A=b --env C=d=e`;
    const ran = await place.gc([
      "endpoint",
      "configure",
      "lab",
      ...flags.split(" "),
      "--worker-init",
      "module load gcc\nset -e",
    ]);
    expect(ran.code).toBe(0);
    const { config } = JSON.parse((await place.gc(["endpoint", "show", "lab", "--json"])).stdout);
    expect(config).toEqual({
      display_name: "Lab",
      relay: "local",
      engine: { type: "local", slots: 4, workers: 2, memory_mib: 8192 },
      allow: { users: [user], public: true, deny: [] },
      env: { A: "b", C: "d=e" },
      worker_init: "module load gcc\nset -e",
      log_level: "debug",
    });
  });

  test("refuses to overwrite with 73; --force keeps the id", async () => {
    const first = await place.gc(["endpoint", "configure", "lab", "-q"]);
    const second = await place.gc(["endpoint", "configure", "lab"]);
    expect(second.code).toBe(73);
    expect(second.stderr).toContain("--force");
    const third = await place.gc(["endpoint", "configure", "lab", "-q", "--force", "--slots", "7"]);
    expect(third.stdout).toBe(first.stdout);
    expect(readFileSync(join(dirOf("lab"), "config.yaml"), "utf8")).toContain("slots: 7");
  });

  test.each(["../x", "a/b", "..", "-x", "a\u001b[2Jb", "x\ny", "0d757e2c-e4b6-883c-b854-d8a17f7e649b"])(
    "refuses the name %j, writes nothing, and sends no escape sequence to the terminal",
    async (name) => {
      const ran = await place.gc(["endpoint", "configure", "--", name]);
      expect(ran.code).toBe(64);
      expect(ran.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      expect(existsSync(place.home)).toBe(false);
    },
  );

  test("needs a name when nobody can be asked", async () => {
    const ran = await place.gc(["endpoint", "configure"]);
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("gc endpoint configure my-endpoint");
  });

  test("refuses an unknown relay, and a home folder that others may write to", async () => {
    expect((await place.gc(["endpoint", "configure", "lab", "--relay", "nope"])).code).toBe(66);
    chmodSync(place.home, 0o777);
    const ran = await place.gc(["endpoint", "configure", "lab"]);
    expect(ran.code).toBe(77);
    expect(ran.stderr).toContain("chmod go-w");
  });

  /** The machine of the test may have a batch scheduler that answers; here only `tools` are found on PATH. */
  const asked = (tools: string, answers: { [question: string]: string }) => {
    let seen = "";
    const left = new Map(Object.entries(answers));
    return Bun.spawn([...gcArgv, "endpoint", "configure", "asked"], {
      env: place.env({ TERM: "xterm", PATH: tools }),
      cwd: place.dir,
      terminal: {
        cols: 100,
        rows: 30,
        data(terminal, data) {
          seen += Bun.stripANSI(Buffer.from(data).toString());
          for (const [question, keys] of left) {
            if (!seen.includes(question)) continue;
            left.delete(question);
            terminal.write(keys);
          }
        },
      },
    });
  };

  test("asks on a terminal, and takes what is typed", async () => {
    expect(await asked("/nonexistent", { "at a time?": "3\r" }).exited).toBe(0);
    expect(readFileSync(join(dirOf("asked"), "config.yaml"), "utf8")).toContain("\n  slots: 3\n");
  });

  test("asks about blocks where a scheduler answers, and proposes that scheduler", async () => {
    const sbatch = join(place.dir, "sbatch");
    writeFileSync(sbatch, '#!/bin/sh\ntest "$1" != --version || echo "slurm 22.05.8"\n', { mode: 0o755 });
    const child = asked(place.dir, { "do tasks run?": "\r", "or queue?": "debug\r", "that pays?": "\r" });
    expect(await child.exited).toBe(0);
    const config = readFileSync(join(dirOf("asked"), "config.yaml"), "utf8");
    expect(config).toContain("\n  scheduler: slurm\n");
    expect(config).toContain("\n  partition: debug\n");
  });

  test("writes nothing when the question is broken off", async () => {
    expect(await asked("/nonexistent", { "at a time?": "\u0003" }).exited).toBe(130);
    expect(existsSync(dirOf("asked"))).toBe(false);
  });
});

describe("gc endpoint list", () => {
  test("says what to type when there is none, on standard error", async () => {
    const ran = await place.gc(["endpoint", "list"]);
    expect(ran).toMatchObject({ code: 0, stdout: "" });
    expect(ran.stderr).toContain("gc endpoint configure");
  });

  test("tells running, stopped and broken ones apart, and skips what is no endpoint", async () => {
    for (const name of ["one", "two", "three"]) await place.gc(["endpoint", "configure", name]);
    unlinkSync(join(dirOf("three"), "key.json"));
    mkdirSync(join(place.home, "endpoints", "evil\u001b[31m"));
    writeFileSync(join(place.home, "endpoints", "file"), "");
    const lease = takeLease(join(dirOf("two"), "lease.json"), 'endpoint "two"', host);
    const ran = await place.gc(["endpoint", "list"]);
    const json = JSON.parse((await place.gc(["endpoint", "ls", "--json"])).stdout);
    lease.release();
    expect(json.endpoints.map((row: { name: string; state: string }) => `${row.name} ${row.state}`)).toEqual([
      "one stopped",
      "three broken",
      "two running",
    ]);
    expect(json.endpoints[2]).toMatchObject({ pid: process.pid, host: host.hostname });
    expect(ran.stdout).toContain(`${host.hostname}, process ${process.pid}`);
    expect(ran.stdout).not.toContain("evil");
  });
});

describe("gc endpoint show", () => {
  test("finds an endpoint by name, by id and by the beginning of its id", async () => {
    const id = (await place.gc(["endpoint", "configure", "lab", "-q"])).stdout.trim();
    for (const said of ["lab", id, id.slice(0, 6)]) {
      expect((await place.gc(["endpoint", "show", said, "-q"])).stdout.trim()).toBe(id);
    }
    expect((await place.gc(["endpoint", "show", "lab"])).stdout).toContain(`id            ${id}`);
  });

  test("names line, column and the right word for a mistake in the configuration, with 78", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    const path = join(dirOf("lab"), "config.yaml");
    writeFileSync(path, "engine:\n  type: local\n  slotz: 2\n");
    const ran = await place.gc(["endpoint", "show", "lab"]);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain(`Unknown key "slotz"; did you mean "slots"? (${path}:3:3)`);
    expect(ran.stderr).toContain(`next: \${EDITOR:-vi} +3 ${path}`);
  });

  test("refuses an unknown name with 66 and what was meant, and a bomb at once", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    const ran = await place.gc(["endpoint", "show", "lbа"]);
    expect(ran.code).toBe(64);
    const typo = await place.gc(["endpoint", "show", "lba"]);
    expect(typo.code).toBe(66);
    expect(typo.stderr).toContain('did you mean "lab"?');
    writeFileSync(join(dirOf("lab"), "config.yaml"), `a: ${"[".repeat(200_000)}`);
    expect((await place.gc(["endpoint", "show", "lab"])).code).toBe(78);
  });
});

describe("gc endpoint logs", () => {
  test("prints the end, with escape sequences written out", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    expect((await place.gc(["endpoint", "logs", "lab"])).stderr).toContain("no log yet");
    const lines = Array.from({ length: 3000 }, (_, i) => `line ${i} \u001b]0;title\u0007 ä`);
    writeFileSync(join(dirOf("lab"), "endpoint.log"), `${lines.join("\n")}\n`);
    const ran = await place.gc(["endpoint", "logs", "lab", "-n", "2"]);
    expect(ran.stdout).toBe("line 2998 \\x1b]0;title\\x07 ä\nline 2999 \\x1b]0;title\\x07 ä\n");
    const json = JSON.parse((await place.gc(["endpoint", "logs", "lab", "-n", "2500", "--json"])).stdout);
    expect(json).toMatchObject({ schema: "gc/endpoint_log/v1", lines: lines.slice(-2500) });
  });

  test("follows what is added, also to a new file under the old name", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    const path = join(dirOf("lab"), "endpoint.log");
    writeFileSync(path, "first\n");
    const child = Bun.spawn([...gcArgv, "endpoint", "logs", "-f", "lab"], {
      env: place.env(),
      stdout: "pipe",
      stderr: "pipe",
    });
    const reader = child.stdout.getReader();
    let seen = "";
    const until = async (text: string) => {
      while (!seen.includes(text)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`It ended after ${JSON.stringify(seen)}`);
        seen += Buffer.from(value).toString();
      }
    };
    await until("first\n");
    appendFileSync(path, "half of ");
    appendFileSync(path, "second\n");
    await until("half of second\n");
    renameSync(path, `${path}.1`);
    writeFileSync(path, "third\n");
    await until("third\n");
    child.kill("SIGINT");
    await child.exited;
    expect(seen).toBe("first\nhalf of second\nthird\n");
  });
});

describe("gc endpoint delete", () => {
  test("refuses without a terminal unless --yes says so", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    const ran = await place.gc(["endpoint", "delete", "lab"]);
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("gc endpoint delete lab --yes");
    expect(existsSync(dirOf("lab"))).toBe(true);
    expect((await place.gc(["endpoint", "delete", "lab", "--yes"])).code).toBe(0);
    expect(existsSync(dirOf("lab"))).toBe(false);
  });

  test("refuses while it runs and says where", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    const lease = takeLease(join(dirOf("lab"), "lease.json"), 'endpoint "lab"', host);
    const ran = await place.gc(["endpoint", "delete", "lab", "--yes"]);
    lease.release();
    expect(ran.code).toBe(69);
    expect(ran.stderr).toContain(`as process ${process.pid}`);
    expect(ran.stderr).toContain("gc endpoint stop lab");
    expect(existsSync(dirOf("lab"))).toBe(true);
  });
});
