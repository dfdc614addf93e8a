/**
 * Registered functions from end to end: called by id, shared with somebody else, allowed by hash at an endpoint, and
 * refused when anything about them is not what it was.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PythonPlace } from "./python_place.ts";

interface Registered {
  id: string;
  sha256: string;
}

let place: PythonPlace;
let allowed: Registered;
beforeAll(async () => {
  place = new PythonPlace();
  writeFileSync(join(place.cwd, "fit.py"), "def train(n, by=2):\n    return n * by\n");
  allowed = JSON.parse(await place.must(["function", "register", "fit.py:train", "--json"]));
  await open("open", "");
  await open("closed", `allowed_functions: ["sha256:${allowed.sha256}"]\n`);
  await open("by_id", `allowed_functions: ["${allowed.id}"]\n`);
}, 60_000);
afterAll(() => place.close());

async function open(name: string, more: string): Promise<void> {
  await place.must(["endpoint", "configure", name]);
  appendFileSync(join(place.home, "endpoints", name, "config.yaml"), more);
  await place.must(["endpoint", "start", "--detach", name]);
}

const call = (endpoint: string, ...more: string[]): string[] => {
  return ["run", "-e", endpoint, "--function", allowed.id, "--args", "[4]", ...more];
};

/** Submits a task as it is, and tells how it ended. */
async function outcomeOf(endpoint: string, task: object): Promise<{ class: string; cause: string; reason: string }> {
  const text = `${JSON.stringify(task)}\n`;
  const id = (await place.gc(["submit", "-e", endpoint, "--file", "-"], { stdin: text })).stdout.trim();
  return JSON.parse((await place.gc(["result", "--wait", "--json", id])).stdout).results[0].outcome;
}

describe("a registered function", () => {
  test("is called by its id, the beginning of it, its name and its hash", async () => {
    for (const said of [allowed.id, allowed.id.slice(0, 8), "train", `sha256:${allowed.sha256}`]) {
      const words = ["run", "-e", "open", "--function", said, "--args", "[4]", "--kwargs", '{"by": 3}'];
      expect(await place.gc(words)).toMatchObject({ code: 0, stdout: "12\n" });
    }
    const unknown = await place.gc(["run", "-e", "open", "--function", "nope"]);
    expect(unknown.stderr).toContain('There is no registered function "nope" here');
  }, 60_000);

  test("goes to somebody else with its owner's signature, and not without", async () => {
    const document = await place.must(["function", "share", "train"]);
    const env = { GC_HOME: join(place.dir, "other") };
    const imported = await place.gc(["function", "import", "-", "--json"], { env, stdin: document });
    const owner = (await place.must(["whoami", "--quiet"])).trim();
    expect(JSON.parse(imported.stdout)).toMatchObject({ id: allowed.id, sha256: allowed.sha256, owner });
    expect((await place.gc(["function", "show", "train", "--quiet"], { env })).stdout).toContain("return n * by");
    const changed = document.replace("n * by", "n ** by");
    expect(changed).not.toBe(document);
    const refused = await place.gc(["function", "import", "-"], { env, stdin: changed });
    expect(refused).toMatchObject({ code: 77, stdout: "" });
    expect(refused.stderr).toContain("is not signed by its owner");
  }, 60_000);

  test("is not called when its file was changed", async () => {
    writeFileSync(join(place.cwd, "bad.py"), "def bad():\n    return 1\n");
    const id = await place.must(["function", "register", "bad.py:bad"]);
    const path = join(place.home, "functions", `${id}.json`);
    writeFileSync(path, readFileSync(path, "utf8").replace("return 1", "return 2"));
    const ran = await place.gc(["run", "-e", "open", "--function", id]);
    expect(ran).toMatchObject({ code: 125, stdout: "" });
    expect(ran.stderr).toContain("is not signed by its owner");
    // Another one that is well signed, under this name.
    writeFileSync(path, readFileSync(join(place.home, "functions", `${allowed.id}.json`)));
    expect((await place.gc(["run", "-e", "open", "--function", id])).stderr).toContain("holds another function");
    expect((await place.gc(["function", "list"])).stderr).toContain("holds another function");
    await place.must(["function", "delete", id]);
  }, 60_000);
});

describe("an endpoint with allowed_functions", () => {
  test("runs a listed one, by SHA-256 or id, and tells that it has a list", async () => {
    for (const name of ["closed", "by_id"]) {
      expect(await place.gc(call(name))).toMatchObject({ code: 0, stdout: "8\n" });
      expect(await place.gc(["run", "-e", name, "--python", "fit.py:train", "--args", "[5]"])).toMatchObject({
        code: 0,
        stdout: "10\n",
      });
    }
    const shown = await place.must(["endpoint", "show", "closed"]);
    expect(shown).toMatch(/functions +1 allowed/);
    expect(shown).toMatch(/commands +none/);
  }, 60_000);

  test("refuses a changed body, also under the id of a listed function; nothing of it runs", async () => {
    const mark = join(place.cwd, "ran");
    const source = `def train(n):\n    open(${JSON.stringify(mark)}, "w").close()\n`;
    const code = { kind: "source", source, entry: "train" };
    const python = { code, arguments: { kind: "json", text: '{"args":[1]}' } };
    for (const name of ["open", "closed", "by_id"]) {
      for (const said of [allowed.id, allowed.sha256]) {
        const refused = await outcomeOf(name, { python: { ...python, function: said } });
        expect(refused).toMatchObject({ class: "rejected", cause: "refused" });
        expect(refused.reason).toMatch(new RegExp(`names the function ${said}, and brings another one with sha256`));
      }
    }
    const unlisted = await outcomeOf("closed", { python });
    expect(unlisted).toMatchObject({ class: "rejected", cause: "refused" });
    expect(unlisted.reason).toMatch(
      /sha256 [0-9a-f]{64} is not among them.*allowed_functions in the endpoint's config/,
    );
    expect(await Bun.file(mark).exists()).toBe(false);
    expect(await outcomeOf("open", { python })).toMatchObject({ class: "ok" });
    expect(await Bun.file(mark).exists()).toBe(true);
  }, 60_000);

  test("refuses commands, scripts, and what would make another function of a listed one", async () => {
    for (const words of [
      ["run", "-e", "closed", "--", "true"],
      ["run", "-e", "closed", "fit.py"],
    ]) {
      const { code, stderr } = await place.gc(words);
      expect(code).toBe(125);
      expect(stderr).toContain("allowed_functions");
    }
    for (const more of [
      ["--env", "PYTHONPATH=/tmp"],
      ["--cwd", "/tmp"],
      ["--interpreter", "/tmp/python"],
    ]) {
      const { code, stderr } = await place.gc(call("closed", ...more));
      expect({ code, told: stderr.includes("only as they are") }).toEqual({ code: 125, told: true });
    }
  }, 60_000);
});

describe("the Python SDK", () => {
  test("registers by content, keeps the id, and tells a refusal with its reason", async () => {
    await place.tries(`
import uuid
from gc_compute import Client, Executor, MPIFunction, ShellFunction, TaskExecutionFailed
def double(x):
    return 2 * x
gcc = Client()
fid = gcc.register_function(double, description="twice as much")
assert fid == gcc.register_function(double) == str(uuid.UUID(fid))
known = gcc.get_function(fid)
assert (known["function_name"], known["description"]) == ("double", "twice as much"), known
text = "def double(x):\\n    return 2 * x\\n"
src = gcc.register_source_code(text, "double")
assert src == fid, "the same text is the same function, however it came"
assert gcc.register_source_code(text + "#", "double") != fid
try:
    Executor().register_function(double, function_id="mine")
    assert False
except ValueError as e:
    assert fid in str(e)
sh = gcc.register_function(ShellFunction("echo {x}", walltime=9, return_dict=True, name="say"))
assert gcc.get_function(sh)["function_name"] == "say"
with Executor(endpoint_id="open") as ex:
    assert ex.submit_to_registered_function(fid, args=(4,)).result() == 8
    assert ex.submit_to_registered_function(sh, kwargs={"x": "hi"}).result()["stdout"] == "hi\\n"
with Executor(endpoint_id="closed") as ex:
    assert ex.submit_to_registered_function("${allowed.id}", args=(4,)).result() == 8
    for future in (ex.submit_to_registered_function(fid, args=(4,)), ex.submit(double, 4)):
        e = future.exception()
        assert isinstance(e, TaskExecutionFailed), repr(e)
        assert known["sha256"] in str(e) and "allowed_functions" in str(e), e
gcc.delete_function(fid)
try:
    gcc.get_function(fid)
    assert False
except Exception as e:
    assert "no registered function" in str(e), e
print("ok")
`);
    expect((await place.gc(["function", "list"])).stdout).toContain("say");
  }, 60_000);

  test("carries user_endpoint_config, and an endpoint without a template refuses it by name", async () => {
    await place.tries(`
from gc_compute import Executor, ShellFunction, TaskExecutionFailed
def f():
    return 1
with Executor(endpoint_id="open", user_endpoint_config={"worker_init": "module load x", "nodes": 2}) as ex:
    for future in (ex.submit(f), ex.submit(ShellFunction("true"))):
        e = future.exception()
        assert isinstance(e, TaskExecutionFailed), repr(e)
        assert 'user_endpoint_config' in str(e) and '("nodes", "worker_init")' in str(e), e
    ex.user_endpoint_config = {}
    assert ex.submit(f).result() == 1
    try:
        ex.user_endpoint_config = {"worker_init": object()}
        assert False
    except TypeError as e:
        assert "JSON" in str(e)
print("ok")
`);
  }, 60_000);
});
