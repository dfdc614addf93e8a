/**
 * Tasks inside containers, with programs that behave like the real ones as far as a task sees (`fake_containers/`):
 * they really run the command. With the real ones, where they are installed and work, the same is tried once.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signal } from "../../core/host/processes.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { WorkerFile } from "../../core/schema/worker_file.ts";
import { type Container, inContainer } from "../../core/worker/container.ts";
import { killLeftovers } from "../../core/worker/leftovers.ts";
import { Rig } from "./rig.ts";

let fakes: string;
let daemon: Bun.Subprocess;
let rig: Rig | undefined;

beforeAll(() => {
  fakes = fs.mkdtempSync(join(tmpdir(), "gc-containers-"));
  fs.cpSync(join(import.meta.dir, "fake_containers"), fakes, { recursive: true });
  fs.symlinkSync("apptainer", join(fakes, "singularity"));
  fs.symlinkSync("docker", join(fakes, "podman"));
  for (const dir of ["queue", "box"]) fs.mkdirSync(join(fakes, "state", dir), { recursive: true });
  fs.writeFileSync(join(fakes, "state", "log"), "");
  daemon = Bun.spawn([join(fakes, "dockerd")], { stdio: ["ignore", "ignore", "ignore"] });
});

afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

afterAll(async () => {
  fs.rmSync(join(fakes, "state"), { recursive: true, force: true });
  await daemon.exited;
  fs.rmSync(fakes, { recursive: true, force: true });
});

async function worker(container: Container, file: Partial<WorkerFile> = {}): Promise<Rig> {
  const env = { PATH: `${fakes}:${process.env.PATH ?? ""}`, PLAIN: "of the host" };
  rig = await Rig.start({ file: { container, env: { ADDED: "by endpoint" }, ...file }, env });
  return rig;
}

const log = (): string => fs.readFileSync(join(fakes, "state", "log"), "utf8");
/** Processes that the fake daemon started, newest last. */
function containerPids(): number[] {
  const path = join(fakes, "state", "pids");
  if (!fs.existsSync(path)) return [];
  return fs.readFileSync(path, "utf8").trim().split("\n").map(Number);
}
const lives = (pid: number): boolean => fs.existsSync(`/proc/${pid}`);

/** Words as a line: what is in it, and that no value of a variable is. */
const shows: TaskSpec = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell.
  argv: ["sh", "-c", 'echo "$CONTAINER|$1|$ADDED|$OWN|${#GC_TASK_UUID}|$GC_TASK_ATTEMPT"; pwd', "sh", "a b"],
  env: { OWN: "s3cret value" },
};

const kinds: readonly [Container["type"], string][] = [
  ["apptainer", "busybox.sif"],
  ["singularity", "busybox.sif"],
  ["docker", "busybox"],
  ["podman", "busybox"],
];

describe.each(kinds)("%s", (type, image) => {
  const options = type === "apptainer" || type === "singularity" ? ["--cleanenv"] : [];

  test("runs the command in the sandbox, with its variables and gc's own", async () => {
    const w = await worker({ type, image, options });
    const { outcome, stdout } = await w.run(shows);
    expect(outcome).toMatchObject({ class: "ok", exit_code: 0 });
    const name = type === "podman" ? "docker" : type;
    const [line, pwd] = (stdout.text ?? "").split("\n");
    expect(line).toBe(`${name}|a b|by endpoint|s3cret value|36|1`);
    expect(pwd).toStartWith(w.path("sandboxes"));
    expect(log()).not.toContain("s3cret");
  });

  test("does not let the host's variables in, where it is told so", async () => {
    const w = await worker({ type, image, options });
    expect((await w.run({ script: "echo x$PLAIN" })).stdout.text).toBe("x\n");
  });

  test("gives back the exit code, both streams, and what is written in the sandbox", async () => {
    const w = await worker({ type, image, options });
    w.acknowledge = false;
    const tid = w.submit({ script: "echo out; echo err >&2; echo x >file; exit 3" });
    expect(await w.result(tid)).toMatchObject({
      outcome: { cause: "exit", exit_code: 3 },
      stdout: { text: "out\n" },
      stderr: { text: "err\n" },
    });
    expect(fs.readFileSync(w.path("sandboxes", `${tid}.1`, "file"), "utf8")).toBe("x\n");
  });

  test("gives the task its input", async () => {
    const w = await worker({ type, image, options });
    const base64 = Buffer.from("one\ntwo\n").toString("base64");
    expect((await w.run({ argv: ["wc", "-l"], stdin: { kind: "inline", base64 } })).stdout.text?.trim()).toBe("2");
  });

  test("tells why an image is not there", async () => {
    const w = await worker({ type, image: "nothing", options });
    const { outcome, stderr } = await w.run(shows);
    expect(outcome.class).toBe("fail");
    expect(stderr.text).toContain("nothing");
  });

  test("ends with its walltime, however it resists, and leaves nothing", async () => {
    const w = await worker({ type, image, options });
    const script = "trap '' TERM; env -u GC_TASK_UUID sh -c 'echo $$; while :; do sleep 0.05; done'";
    const { outcome, stdout } = await w.run({ script, walltime_s: 0.5, grace_s: 0.2 });
    expect(outcome).toMatchObject({ cause: "walltime", exit_code: 124 });
    await w.until(() => !lives(Number(stdout.text)));
  });
});

describe("docker", () => {
  const container: Container = { type: "docker", image: "busybox", options: [] };
  const hidden = { script: "exec env -u GC_TASK_UUID sleep 300" };

  test("passes TERM on, so that a cancelled task ends at once", async () => {
    const w = await worker(container);
    const tid = w.submit({ ...hidden, grace_s: 30 });
    await w.untilStarted(tid);
    await w.until(() => fs.readdirSync(join(fakes, "state", "box")).some((id) => hasPid(id)));
    w.send({ t: "cancel", tid, attempt: 1, cause: "cancel" });
    expect((await w.result(tid)).outcome).toMatchObject({ class: "cancelled" });
    await w.until(() => !lives(containerPids().at(-1) ?? 0));
  });

  test("a client that is killed takes its container with it", async () => {
    const w = await worker(container);
    const tid = w.submit(hidden);
    // Those of earlier tests may still be listed.
    await w.until(() => containerPids().some(lives));
    const pid = containerPids().find(lives) ?? 0;
    expect(lives(pid)).toBe(true);
    signal(clientOf(tid), "SIGKILL");
    expect((await w.result(tid)).outcome).toMatchObject({ cause: "signal", exit_code: 137 });
    expect(lives(pid)).toBe(false);
    expect(fs.readdirSync(w.path("w", "containers"))).toEqual(["program.json"]);
  });

  test("a worker that dies leaves no container to whoever buries it", async () => {
    const w = await worker(container);
    w.submit(hidden);
    // Those of earlier tests may still be listed.
    await w.until(() => containerPids().some(lives));
    const pid = containerPids().find(lives) ?? 0;
    w.worker?.kill("SIGKILL");
    await w.worker?.exited;
    expect(lives(pid)).toBe(true);
    await killLeftovers(w.path("w"), w.host);
    await w.until(() => !lives(pid));
  });

  test("is told who owns the files and which processors it may use", () => {
    const inside = {
      ...{ argv: ["true"], env: { A: "1" }, pass: ["A"], cwd: "/box/sub", home: "/home/u", sandbox: "/box" },
      ...{ spec: {}, cpus: [2, 3], cidfile: "/c", user: "7:8" },
    };
    expect(inContainer({ type: "docker", image: "i", options: ["-q"] }, "/bin/docker", inside).argv).toEqual([
      ...["/bin/docker", "run", "--rm", "--cidfile", "/c", "-v", "/box:/box", "-w", "/box/sub"],
      ...["--user", "7:8", "--cpuset-cpus", "2,3", "-e", "A", "-q", "i", "true"],
    ]);
    const own = inContainer({ type: "docker", image: "i", options: ["--user=root"] }, "/bin/docker", inside).argv;
    expect(own).not.toContain("--user");
  });
});

describe("custom", () => {
  test("is words before the command", async () => {
    const w = await worker({ type: "custom", options: ["env", "CONTAINER=mine"] });
    expect((await w.run(shows)).stdout.text).toStartWith("mine|a b|by endpoint|s3cret value|36|1\n");
  });

  test("knows the placeholders of Globus Compute, as words and inside of words", async () => {
    const at = "{EXECUTOR_LAUNCH_CMD}";
    const words = await worker({ type: "custom", options: ["env", "RUN={EXECUTOR_RUNDIR}", at, "more"] });
    const spec = { argv: ["sh", "-c", 'echo "$1"; test "$RUN" = "$PWD"', "sh"] };
    expect(await words.run(spec)).toMatchObject({ outcome: { exit_code: 0 }, stdout: { text: "more\n" } });
    await words.close();
    const line = await worker({ type: "custom", options: ["sh", "-c", `CONTAINER=mine; export CONTAINER; ${at}`] });
    expect((await line.run(shows)).stdout.text).toStartWith("mine|a b|by endpoint|");
  });
});

test.skipIf(Bun.which("python3") === null)(
  "a Python function runs inside, through its sandbox, and leaves it empty",
  async () => {
    for (const type of ["apptainer", "docker"] as const) {
      const w = await worker({ type, image: type === "docker" ? "busybox" : "busybox.sif", options: [] });
      const source = "import os\ndef f(n):\n    print('in')\n    return [n, sorted(os.listdir())]";
      const given = { kind: "json", text: '{"args":[3]}' } as const;
      const call = { code: { kind: "source", source, entry: "f" } as const, arguments: given };
      const good = await w.run({ python: call });
      expect(good).toMatchObject({ outcome: { class: "ok" }, value: { kind: "json", text: "[3,[]]" } });
      expect(good.stdout.text).toBe("in\n");
      const { outcome } = await w.run({ python: call, sandbox: false });
      expect(outcome).toMatchObject({ class: "fail", cause: "sandbox" });
      await w.close();
    }
  },
);

test("a task is told when the container program is missing", async () => {
  const w = await worker({ type: "podman-hpc", image: "i", options: [] });
  const { outcome } = await w.run({ argv: ["true"] });
  expect(outcome).toMatchObject({ class: "fail", cause: "sandbox", exit_code: 125 });
  expect(outcome.reason).toContain('"podman-hpc" was not found in PATH');
});

function hasPid(id: string): boolean {
  return fs.existsSync(join(fakes, "state", "box", id, "pid"));
}

/** The pid of the docker client that runs a task. */
function clientOf(tid: string): number {
  for (const name of fs.readdirSync("/proc")) {
    try {
      if (!/^\d+$/.test(name)) continue;
      const words = fs.readFileSync(`/proc/${name}/cmdline`, "latin1");
      if (words.includes(`${tid}.1.cid`)) return Number(name);
    } catch {
      // It is gone.
    }
  }
  throw new Error("There is no client");
}

/** A small image in the own form of each program, if there is one here: tests download nothing. */
describe.each([
  ["docker", ["image", "inspect", "busybox"], "busybox"],
  ["podman", ["image", "exists", "busybox"], "busybox"],
  ["apptainer", ["inspect", process.env.GC_TEST_SIF ?? "/none"], process.env.GC_TEST_SIF ?? "/none"],
  ["singularity", ["inspect", process.env.GC_TEST_SIF ?? "/none"], process.env.GC_TEST_SIF ?? "/none"],
] as const)("the real %s", (type, question, image) => {
  const here = Bun.which(type) !== null && Bun.spawnSync([type, ...question]).exitCode === 0;
  const why = here ? "" : " (SKIPPED: it is not installed here, does not work, or has no such image)";

  test.skipIf(!here)(`runs a command and ends with its walltime${why}`, async () => {
    rig = await Rig.start({ file: { container: { type, image, options: [] } } });
    expect((await rig.run({ argv: ["echo", "a b"] })).stdout.text).toBe("a b\n");
    const { outcome } = await rig.run({ argv: ["sleep", "60"], walltime_s: 1, grace_s: 0.2 });
    expect(outcome).toMatchObject({ cause: "walltime", exit_code: 124 });
  });
});
