/** What users of globus_compute_sdk write first, on a compute node: functions and commands from the Python SDK. */
import { expect } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Alice } from "./alice.ts";
import type { Stage } from "./stage.ts";

const sdk = join(import.meta.dir, "../../sdk/python/gc_compute.py");
const hangs_ms = 150_000;

/** The examples of the seed, with nothing but the import changed, and what their results are made of. */
const examples = `
from gc_compute import Executor, ShellFunction
endpoint_id = "snakes"

def hello_world(name):
    return f"Hello {name}!"

def where():
    import platform, socket
    return socket.gethostname(), platform.python_version()

with Executor(endpoint_id=endpoint_id) as gce:
    future = gce.submit(hello_world, "World")
    print(future.result())
    print("host", gce.submit(where).result()[0])

    func = ShellFunction("echo '{message}'")
    for msg in ("hello", "hola", "bonjour"):
        print(gce.submit(func, message=msg).result())

    bf = ShellFunction("sleep 2", walltime=1)
    result = gce.submit(bf).result()
    print(result.returncode, result.exception_name)

    result = gce.submit(ShellFunction("echo out; echo err >&2; exit 3")).result()
    print(result.cmd, repr(result.stdout), repr(result.stderr), result.returncode, result.exception_name)
    print(sorted(gce.submit(ShellFunction("hostname", return_dict=True)).result()))

    function_id = gce.register_function(hello_world)
    print(gce.submit_to_registered_function(function_id, args=("Slurm",)).result())
    print(sum(gce.map(lambda x: x * x, range(100))))
`;

/** Tells the stories of Python. */
export function pythonStories({ story }: Stage): void {
  story("the seed's examples run on a compute node, called from Python", async (alice) => {
    await alice.endpoint("snakes", { max_blocks: 1 });
    const lines = (await program(alice, examples)).split("\n");
    expect(lines.splice(1, 1)[0]).toMatch(/^host node\d\d$/);
    expect(lines).toEqual([
      "Hello World!",
      "hello",
      "hola",
      "bonjour",
      "124 subprocess.TimeoutExpired",
      "echo out; echo err >&2; exit 3 'out\\n' 'err\\n' 3 subprocess.CalledProcessError",
      "['cmd', 'exception_name', 'returncode', 'stderr', 'stdout']",
      "Hello Slurm!",
      "328350",
      "",
    ]);
  });
}

/** Runs a program of hers with the SDK; returns what it printed. @throws Error with what it said when it fails. */
async function program(alice: Alice, text: string): Promise<string> {
  const path = join(alice.folder, "examples.py");
  writeFileSync(path, text);
  copyFileSync(sdk, join(alice.folder, "gc_compute.py"));
  const { prefix, env, exe } = alice.world;
  const child = Bun.spawn([...prefix, "python3", path], {
    cwd: alice.folder,
    env: { ...env, GC_EXE: exe, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: hangs_ms,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  if (code !== 0) throw new Error(`The program ended with ${code}\n${stdout}${stderr}`);
  return stdout;
}
