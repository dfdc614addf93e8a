/** `gc endpoint test`: a probe where tasks would run, what it finds, why it fails, and that nothing of it stays. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { probeScript, readProbe } from "../../cmd/endpoint/test_probe.ts";
import { judge, reachedBy } from "../../cmd/endpoint/test_report.ts";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import type { EngineConfig } from "../../core/config/engine_config.ts";
import { until } from "../e2e/until.ts";
import { gcArgv, Place } from "./command_line.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const configure = (...more: string[]) => place.gc(["endpoint", "configure", "lab", ...more]);
/** Temporary files of the command go into a folder of the test, so that one can see that none stay. */
const temporary = () => join(place.dir, "tmp");
const env = (more: { [name: string]: string } = {}) => {
  mkdirSync(temporary(), { recursive: true });
  return { TMPDIR: temporary(), ...more };
};

function expectNothingLeft(): void {
  expect(readdirSync(join(place.home, "endpoints/lab")).sort()).toEqual(["config.yaml", "key.json"]);
  expect(readdirSync(temporary())).toEqual([]);
  expect(processesOf(place.dir)).toEqual([]);
}

describe("gc endpoint test on this machine", () => {
  test("tells how the machine looks, and leaves nothing behind", async () => {
    await configure();
    const { code, stdout, stderr } = await place.gc(["endpoint", "test", "lab", "--json"], { env: env() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const report = JSON.parse(stdout);
    expect(report.first_answer_s).toBeGreaterThan(0);
    expect(report.node.cores).toBeGreaterThan(0);
    expect(report.node.memory_mib).toBeGreaterThan(0);
    expect(report).toMatchObject({
      schema: "gc/endpoint_test/v1",
      name: "lab",
      engine: "local",
      ok: true,
      reached: { by: "unix" },
      node: { cores: expect.any(Number), memory_mib: expect.any(Number), modules: expect.any(String) },
      wrong: [],
    });
    expectNothingLeft();
  }, 30_000);

  test("says to people why it does not work, with exit code 1", async () => {
    await configure("--worker-init", "echo no such module >&2; exit 3");
    const { code, stdout } = await place.gc(["endpoint", "test", "lab"], { env: env() });
    expect(code).toBe(1);
    expect(stdout).toStartWith('Endpoint "lab" does not work as it is\n');
    expect(stdout).toContain("The worker_init of the endpoint ended with exit code 3: no such module");
    expect(stdout).toEndWith("Next: gc endpoint show lab\n");
    expectNothingLeft();
  }, 30_000);

  test("leaves an endpoint that runs alone", async () => {
    await configure();
    await place.gc(["endpoint", "start", "--detach", "lab"]);
    try {
      const lease = join(place.home, "endpoints/lab/lease.json");
      const before = JSON.parse(readFileSync(lease, "utf8")).pid;
      expect((await place.gc(["endpoint", "test", "lab"], { env: env() })).code).toBe(0);
      expect(JSON.parse(readFileSync(lease, "utf8")).pid).toBe(before);
      const { stdout } = await place.gc(["ps", "--json"]);
      expect(JSON.parse(stdout).tasks).toEqual([]);
    } finally {
      await place.gc(["endpoint", "stop", "lab"]);
      await place.gc(["relay", "down"]);
    }
  }, 60_000);

  test("finds what the configuration wants and the machine does not have", async () => {
    await configure();
    const path = join(place.home, "endpoints/lab/config.yaml");
    writeFileSync(
      path,
      'engine: {type: local, available_accelerators: ["no-such-gpu-1", "2", "3", "4", "5", "6", "7"]}\n',
    );
    const { code, stdout } = await place.gc(["endpoint", "test", "lab", "--json"], { env: env() });
    expect(code).toBe(1);
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    expect(report.wrong.length).toBeGreaterThan(0);
  }, 30_000);
});

describe("gc endpoint test on a scheduler", () => {
  /** Commands of Slurm that do as the test says, before those that the machine may have. */
  const slurm = (sbatch: string, squeue = "") => {
    const bin = join(place.dir, "bin");
    mkdirSync(bin);
    const commands = { sbatch, squeue, sacct: "", scancel: `echo "$@" >>${place.dir}/cancelled`, scontrol: "" };
    for (const [name, lines] of Object.entries(commands)) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\nexit 0\n`, { mode: 0o755 });
    }
    return env({ PATH: `${bin}:/usr/bin:/bin` });
  };
  /** A block that waits until it is cancelled. */
  const waiting = () =>
    slurm(
      `for script; do :; done; cp "$script" ${place.dir}/script; echo 42`,
      `name=$(sed -n 's/.*job-name=//p' ${place.dir}/script); state=PENDING; reason=Priority
test -e ${place.dir}/cancelled && state=CANCELLED && reason=None
echo "42|$state|$reason|N/A|N/A||$name|42"`,
    );

  test("a refused submission: the scheduler's own words", async () => {
    await configure("--scheduler", "slurm", "--partition", "nowhere");
    const refused = slurm("echo 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1");
    const { code, stdout } = await place.gc(["endpoint", "test", "lab", "--json"], { env: refused });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      engine: "slurm",
      ok: false,
      block: { state: "over" },
      wrong: ["The submission was refused: sbatch: error: invalid partition specified: nowhere"],
      hint: "gc endpoint render lab",
    });
    expectNothingLeft();
  }, 30_000);

  test("a block of one node and one minute that waits too long is told of, and taken back", async () => {
    await configure("--scheduler", "slurm", "--nodes-per-block", "4", "--walltime", "2h", "--init-blocks", "1");
    const words = ["endpoint", "test", "lab", "--timeout", "1", "--json"];
    const { code, stdout } = await place.gc(words, { env: waiting() });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      block: { job: "42" },
      wrong: [expect.stringContaining("No answer came in 1 s: the block is 42, pending")],
    });
    const script = readFileSync(join(place.dir, "script"), "utf8");
    expect(script).toContain("#SBATCH --nodes=1\n");
    expect(script).toContain("#SBATCH --time=1\n");
    expect(readFileSync(join(place.dir, "cancelled"), "utf8")).toContain("42");
    expectNothingLeft();
  }, 60_000);

  test("Ctrl-C takes the block back", async () => {
    await configure("--scheduler", "slurm");
    const options = { env: place.env(waiting()), stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
    const child = Bun.spawn([...gcArgv, "endpoint", "test", "lab"], options);
    await until(() => existsSync(join(place.dir, "script")), "the submission");
    child.kill("SIGINT");
    expect(await child.exited).toBe(75);
    expect(readFileSync(join(place.dir, "cancelled"), "utf8")).toContain("42");
    expectNothingLeft();
  }, 60_000);
});

describe("the probe", () => {
  const output = [
    ["clock=1000", "hostname=node01", "system=Linux 6 x86_64", "cores=4", "memory_kib=8388608", "memory_max=max"],
    ["memory_max=4294967296", "python=3.11.7 /usr/bin/python3", "python=3.11.7 /usr/bin/python3", "modules=login"],
    ["gpu=NVIDIA A100", "gpu=NVIDIA A100", "tmp_free_kib=2048", "peer=0100007F"],
  ].flat();

  test("is read as it was printed", () => {
    expect(readProbe(output.join("\n"))).toEqual({
      hostname: "node01",
      system: "Linux 6 x86_64",
      cores: 4,
      memory_mib: 4096,
      pythons: [{ version: "3.11.7", path: "/usr/bin/python3" }],
      modules: "login",
      gpus: ["NVIDIA A100", "NVIDIA A100"],
      tmp_free_mib: 2,
      address: "127.0.0.1",
      clock_s: 1000,
    });
    const last = (peer: string) => readProbe([...output.slice(0, -1), `peer=${peer}`].join("\n"))?.address;
    expect(last("0000000000000000FFFF00000200000A")).toBe("10.0.0.2");
    expect(last("B80D0120000000000000000001000000")).toBe("2001:db8:0:0:0:0:0:1");
  });

  test("that was cut off is no answer", () => {
    for (let lines = 0; lines < output.length - 2; lines++) {
      expect(readProbe(output.slice(0, lines).join("\n"))).toBeUndefined();
    }
  });

  test("is a script that any shell takes, and finds the port it is told", async () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const client = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
    try {
      const { code, stdout } = await place.run(["/bin/sh", "-c", probeScript(server.port)]);
      expect(code).toBe(0);
      expect(readProbe(stdout)?.address).toBe("127.0.0.1");
    } finally {
      client.end();
      server.stop(true);
    }
  });

  test("shows by what way its node reached this machine", () => {
    const local: EngineConfig = { type: "local", workers: 1 };
    const { engine } = parseEndpointConfig(Buffer.from("engine: {type: batch, scheduler: slurm}"), "config.yaml");
    expect(reachedBy(local, undefined, undefined)).toEqual({ by: "unix" });
    expect(reachedBy(engine, "10.0.0.2", 4000)).toEqual({ by: "tcp", address: "10.0.0.2", port: 4000 });
    expect(reachedBy(engine, undefined, 4000)).toEqual({ by: "shared" });
    expect(reachedBy(engine, undefined, undefined)).toEqual({ by: "shared" });
  });

  test("is judged by what the configuration wants", () => {
    const node = readProbe(output.join("\n"));
    if (node === undefined) throw new Error("The probe was not read");
    const local: EngineConfig = { type: "local", workers: 1 };
    expect(judge(local, node, undefined, 1000)).toEqual({
      wrong: ["The disk for temporary files of node01 has 2 MiB left"],
      notes: ['"module" is there only in a login shell: begin worker_init with "source /etc/profile"'],
    });
    const roomy = { ...node, tmp_free_mib: 5000, pythons: [], modules: "yes" as const };
    expect(judge(local, roomy, undefined, 1000).notes[0]).toStartWith("No Python was found");
    expect(judge(local, roomy, "venv:x", 1000)).toEqual({ wrong: [], notes: [] });
    expect(judge(local, roomy, undefined, 1100).wrong).toEqual(["The clock of node01 is 100 s behind"]);
    const gpus = { ...local, accelerators: ["0", "1", "2"] };
    expect(judge(gpus, roomy, undefined, 1000).wrong).toEqual([
      "available_accelerators has 3, and node01 shows 2 GPUs",
    ]);
  });
});

/** Processes that have this folder in their command line. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(folder) ? [line] : [];
      } catch {
        return [];
      }
    });
}
