/** What a test of an endpoint found, judged and put into words. Pure. */
import type { EngineConfig } from "../../core/config/engine_config.ts";
import type { BlockInfo } from "../../core/schema/live_message.ts";
import type { Painter } from "../printer.ts";
import { visible, visibleText } from "../visible.ts";
import type { NodeReport } from "./test_probe.ts";

/** The answer of `gc endpoint test --json`. */
export interface TestReport {
  readonly name: string;
  /** `local`, or the scheduler. */
  readonly engine: string;
  readonly ok: boolean;
  /** The probe's block, where there are blocks. */
  readonly block?: Pick<BlockInfo, "name" | "job" | "state" | "reason">;
  /** Seconds from the submission to the first answer, and of them how long the block waited for its nodes. */
  readonly first_answer_s?: number;
  readonly waited_s?: number;
  /** How the worker is connected to the endpoint. */
  readonly reached?: { readonly by: "unix" | "tcp" | "shared"; readonly address?: string; readonly port?: number };
  readonly node?: Omit<NodeReport, "address" | "clock_s">;
  /** What is wrong; with one of them the test has failed. */
  readonly wrong: readonly string[];
  /** What is good to know. */
  readonly notes: readonly string[];
  /** The end of the block's standard error, on failure. */
  readonly stderr?: string;
  readonly hint?: string;
}

/** More than this and certificates, walltimes and logs of the two machines do not fit together. */
const clockSkewMax_s = 60;
const tmpLeast_mib = 100;

/** What the configuration wants and the node does not have. `now_s`: this machine's clock when the answer came. */
export function judge(
  engine: EngineConfig,
  node: NodeReport,
  python: string | undefined,
  now_s: number,
): Pick<TestReport, "wrong" | "notes"> {
  const wrong: string[] = [];
  const notes: string[] = [];
  const accelerators = engine.type === "batch" ? engine.workers.accelerators : (engine.accelerators ?? []);
  if (accelerators.length > node.gpus.length) {
    wrong.push(
      `available_accelerators has ${accelerators.length}, and ${node.hostname} shows ${node.gpus.length} GPUs`,
    );
  }
  const gpus = engine.type === "batch" ? (engine.gpus_per_node ?? 0) : 0;
  if (gpus > node.gpus.length) {
    wrong.push(`gpus_per_node is ${gpus}, and ${node.hostname} shows ${node.gpus.length} GPUs`);
  }
  const asked = engine.type === "batch" ? engine.cores_per_node : undefined;
  if (asked !== undefined && asked > node.cores) {
    wrong.push(`cores_per_node is ${asked}, and a task may use ${node.cores} on ${node.hostname}`);
  }
  const skew_s = Math.round(node.clock_s - now_s);
  if (Math.abs(skew_s) > clockSkewMax_s) {
    wrong.push(`The clock of ${node.hostname} is ${Math.abs(skew_s)} s ${skew_s > 0 ? "ahead" : "behind"}`);
  }
  if (node.tmp_free_mib !== undefined && node.tmp_free_mib < tmpLeast_mib) {
    wrong.push(`The disk for temporary files of ${node.hostname} has ${node.tmp_free_mib} MiB left`);
  }
  if (node.pythons.length === 0 && python === undefined) {
    notes.push(
      'No Python was found: Python functions need one; "python" in config.yaml or a line in worker_init names it',
    );
  }
  if (node.modules === "login") {
    notes.push('"module" is there only in a login shell: begin worker_init with "source /etc/profile"');
  }
  if (engine.container !== undefined) notes.push("The probe ran without the container of the configuration");
  return { wrong, notes };
}

/** How the worker of the probe is connected. `address`: where its TCP connection to `port` leads, if it has one. */
export function reachedBy(
  engine: EngineConfig,
  address: string | undefined,
  port: number | undefined,
): NonNullable<TestReport["reached"]> {
  if (engine.type === "local") return { by: "unix" };
  return address === undefined || port === undefined ? { by: "shared" } : { by: "tcp", address, port };
}

/** The report for people. */
export function reportText(report: TestReport, paint: Painter): string {
  const { node, reached, block } = report;
  const title = report.ok
    ? paint.green(`Endpoint "${visible(report.name)}" works`)
    : paint.red(`Endpoint "${visible(report.name)}" does not work as it is`);
  const rows: [string, string | undefined][] = [
    ["block", block && [block.job ?? block.name, block.state, block.reason].filter(Boolean).join(", ")],
    ["first answer", report.first_answer_s === undefined ? undefined : answerText(report)],
    ["reached by", reached && reachedText(reached)],
    ["node", node && `${node.hostname} (${node.system})`],
    ["cores", node && String(node.cores)],
    ["memory", node && `${node.memory_mib} MiB`],
    ["GPUs", node && (node.gpus.join(", ") || "none")],
    ["Python", node && (node.pythons.map(({ version, path }) => `${version} ${path}`).join(", ") || "none")],
    ["module", node && { yes: "there", login: "only in a login shell", no: "not there" }[node.modules]],
    ["free in tmp", node?.tmp_free_mib === undefined ? undefined : `${node.tmp_free_mib} MiB`],
  ];
  const there = rows.filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...there.map(([key]) => key.length));
  return [
    title,
    ...there.map(([key, value]) => `  ${paint.dim(key.padEnd(width))}  ${visible(value ?? "")}`),
    ...report.wrong.map((text) => `${paint.red("wrong:")} ${visibleText(text)}`),
    ...report.notes.map((text) => `${paint.yellow("note:")} ${visible(text)}`),
    ...(report.stderr === undefined
      ? []
      : [paint.dim("last lines of its standard error:"), ...indented(report.stderr)]),
    ...(report.hint === undefined ? [] : [`Next: ${paint.cyan(report.hint)}`]),
  ].join("\n");
}

function answerText({ first_answer_s, waited_s }: TestReport): string {
  return `after ${first_answer_s} s${waited_s === undefined ? "" : `, of which ${waited_s} s in the queue`}`;
}

function reachedText({ by, address, port }: NonNullable<TestReport["reached"]>): string {
  if (by === "unix") return "a socket of this machine";
  return by === "tcp"
    ? `TCP to ${address}, port ${port}`
    : "files in a folder that both see: there is no connection over the network";
}

function indented(text: string): string[] {
  return visibleText(text.trimEnd())
    .split("\n")
    .slice(-10)
    .map((line) => `  ${line}`);
}
