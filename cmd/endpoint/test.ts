/**
 * `gc endpoint test`: runs a probe where the endpoint's tasks would run, in a block of one node and one minute, and
 * tells how that node looks and how it reached this machine; or why no answer came. The endpoint itself need not run,
 * and is left alone when it does.
 */
import type { Command } from "commander";
import { type EndpointConfig, loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { findOwnEndpoint, type OwnEndpointFolder } from "../../core/config/endpoint_folder.ts";
import type { EngineConfig } from "../../core/config/engine_config.ts";
import { GcError } from "../../core/errors.ts";
import type { BlockInfo, StatusAnswer } from "../../core/schema/live_message.ts";
import type { Result } from "../../core/schema/result.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { duration_s } from "../task_options.ts";
import { probeScript, readProbe } from "./test_probe.ts";
import { judge, reachedBy, reportText, type TestReport } from "./test_report.ts";
import { Trial } from "./test_trial.ts";

interface TestOptions {
  /** Seconds. */
  timeout?: number;
  walltime?: number;
}

const defaultTimeout_s = 600;
const defaultWalltime_s = 60;
const lookEvery_ms = 600;
/** The script takes a second; what hangs on a node, hangs for ever. */
const probeWalltime_s = 50;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("test")
    .description(
      "Try an endpoint of this home folder: submit a block of one node and one minute with its configuration, run a " +
        "probe in it, and tell how the node reached this machine, its cores, memory, GPUs, Pythons and modules, " +
        "how long the answer took, and what is wrong. The endpoint need not run, and is left alone when it does.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .option("--timeout <time>", "give up after so long, also while the block waits (default: 10m)", duration_s)
    .option("--walltime <time>", "of the block, where worker_init takes long (default: 1m)", duration_s)
    .action(async (said: string, options: TestOptions) => {
      const report = await test(cli, findOwnEndpoint(cli.home, cli.host, said), options);
      cli.printer.document("gc/endpoint_test/v1", report, () => reportText(report, cli.printer.paint));
      cli.exit_code = report.ok ? 0 : 1;
    });
  addExamples(command, [
    ["gc endpoint test my-cluster", "one node for one minute; exit code 0 when it works"],
    ["gc endpoint test my-cluster --timeout 1h", "where queues are long"],
    ["gc endpoint test my-cluster --json", "for programs"],
  ]);
}

/** The configuration as it is, but for one small block, without rules for tasks of others. */
function probeConfig(config: EndpointConfig, walltime_s: number): EndpointConfig {
  const { engine, env, worker_init, python } = config;
  return {
    engine: probeEngine(engine, walltime_s),
    allow: { users: [], public: false, deny: [] },
    env,
    ...(worker_init === undefined ? {} : { worker_init }),
    ...(python === undefined ? {} : { python }),
    log_level: "info",
  };
}

function probeEngine(engine: EngineConfig, walltime_s: number): EngineConfig {
  const { container: _, ...bare } = engine;
  if (bare.type === "local") return { ...bare, workers: 1 };
  const { mpi: _mpi, ...plain } = bare;
  const blocks = { ...plain.blocks, nodes: 1, walltime_s, init: 0, min: 0, max: 1, parallelism: 1 };
  return { ...plain, blocks };
}

/** How it went: an answer, or why there is none. */
type Course = { result: Result; block: BlockInfo | undefined; after_ms: number } | Failure;

interface Failure {
  why: string;
  block: BlockInfo | undefined;
  hint: string;
}

async function test(cli: Cli, own: OwnEndpointFolder, options: TestOptions): Promise<TestReport> {
  const config = loadEndpointConfig(own.paths.config);
  const { engine } = config;
  const name = own.name;
  const scheduler = engine.type === "batch" ? engine.scheduler : "local";
  const walltime_s = Math.max(defaultWalltime_s, options.walltime ?? defaultWalltime_s);
  const trial = await Trial.begin(own, probeConfig(config, walltime_s));
  const interrupted = Promise.withResolvers<"interrupted">();
  const interrupt = (): void => interrupted.resolve("interrupted");
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const where = engine.type === "batch" ? `a block of one node on ${scheduler}` : "this machine";
    cli.printer.note(`trying ${where} for at most ${options.timeout ?? defaultTimeout_s} s`);
    const course = await follow(cli, trial, name, interrupted.promise, options.timeout ?? defaultTimeout_s);
    if (course === "interrupted") throw new GcError("temporary", "test.interrupted", "The test was interrupted");
    return "why" in course
      ? failure(name, scheduler, course)
      : success(cli, trial, { name, engine, python: config.python }, course);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await trial.close();
  }
}

/** Hands the probe over and watches until there is an answer, a block that ended without one, or no more time. */
async function follow(
  cli: Cli,
  trial: Trial,
  name: string,
  interrupted: Promise<"interrupted">,
  timeout_s: number,
): Promise<Course | "interrupted"> {
  const { clock } = cli.host;
  const began_ms = clock.monotonic();
  const script = probeScript(trial.port);
  const { id, answer } = trial.submit({ script, walltime_s: probeWalltime_s, snippet_lines: 500, on_lost: "fail" });
  let told = "";
  for (;;) {
    const pause = new Promise<undefined>((resolve) => clock.after(lookEvery_ms, () => resolve(undefined)));
    const first = await Promise.race([answer, interrupted, pause]);
    const after_ms = clock.monotonic() - began_ms;
    if (first === "interrupted") return first;
    if (first instanceof GcError) return { why: first.message, block: undefined, hint: `gc endpoint test ${name}` };
    const status = await trial.status();
    const block = status?.blocks?.[0];
    if (first !== undefined) return { result: first, block, after_ms };
    const ended = whyNot(status, block, name);
    if (ended !== undefined) return ended;
    const now = block === undefined ? "" : [block.job, block.state, block.reason].filter(Boolean).join(", ");
    if (now !== told && now !== "") cli.printer.note(now);
    told = now;
    if (after_ms < timeout_s * 1000) continue;
    const waits = now === "" ? (await trial.standing(id))?.reason : `the block is ${now}`;
    const hint = `gc endpoint test ${name} --timeout ${Math.ceil((timeout_s * 4) / 60)}m`;
    return { why: `No answer came in ${timeout_s} s: ${waits ?? "the endpoint does not say why"}`, block, hint };
  }
}

/** Why no answer will come. */
function whyNot(status: StatusAnswer | undefined, block: BlockInfo | undefined, name: string): Failure | undefined {
  const hint = status?.blocks === undefined ? `gc endpoint show ${name}` : `gc endpoint render ${name}`;
  if (block?.state === "over") {
    const what = block.job === undefined ? "The submission was refused" : "The block ended before it answered";
    return { why: `${what}: ${block.reason ?? "nobody says why"}`, block, hint };
  }
  if (status?.state === "paused") return { why: `The endpoint paused: ${status.reason ?? "?"}`, block, hint };
  return undefined;
}

function failure(name: string, engine: string, { why, block, hint }: Failure): TestReport {
  const words = block?.last_words;
  // How a block ended is followed by what it printed, which is told apart.
  const wrong = words === undefined ? why : why.replace(`: ${words}`, "");
  return {
    name,
    engine,
    ok: false,
    ...(block === undefined ? {} : { block: shortBlock(block) }),
    wrong: [wrong],
    notes: [],
    ...(words === undefined || words.trim() === "" ? {} : { stderr: words }),
    hint,
  };
}

function shortBlock({ name, job, state, reason }: BlockInfo): NonNullable<TestReport["block"]> {
  const [line] = (reason ?? "").split("\n", 1);
  return { name, ...(job === undefined ? {} : { job }), state, ...(line ? { reason: line } : {}) };
}

function success(
  cli: Cli,
  trial: Trial,
  { name, engine, python }: { name: string; engine: EngineConfig; python: string | undefined },
  { result, block, after_ms }: Exclude<Course, Failure>,
): TestReport {
  const scheduler = engine.type === "batch" ? engine.scheduler : "local";
  const common = { name, engine: scheduler, ...(block === undefined ? {} : { block: shortBlock(block) }) };
  const first_answer_s = Math.round(after_ms / 100) / 10;
  const probe = readProbe(result.stdout.text ?? "");
  if (probe === undefined) {
    const { outcome, stderr } = result;
    const why = `The probe ended as ${outcome.class}: ${outcome.reason ?? `exit code ${outcome.exit_code}`}`;
    const said = stderr.text?.trim() ? { stderr: stderr.text } : {};
    return {
      ...common,
      ok: false,
      first_answer_s,
      wrong: [why],
      notes: [],
      ...said,
      hint: `gc endpoint render ${name}`,
    };
  }
  const { address, clock_s: _, ...node } = probe;
  const found = judge(engine, probe, python, cli.host.clock.now() / 1000);
  const { started_ms, planned_ms } = block ?? {};
  const waited =
    started_ms === undefined || planned_ms === undefined ? {} : { waited_s: waitedFor(planned_ms, started_ms) };
  const reached = reachedBy(engine, address, trial.port);
  return {
    ...common,
    ok: found.wrong.length === 0,
    first_answer_s,
    ...waited,
    reached,
    node,
    ...found,
    ...(found.wrong.length === 0
      ? { hint: `gc endpoint start --detach ${name}` }
      : { hint: `gc endpoint show ${name}` }),
  };
}

/** Schedulers tell whole seconds, so a start may seem to be before the wish. */
function waitedFor(planned_ms: number, started_ms: number): number {
  return Math.max(0, Math.round((started_ms - planned_ms) / 1000));
}
