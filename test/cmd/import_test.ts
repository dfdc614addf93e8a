/**
 * import: eighteen endpoints of Globus Compute as its documentation configures them (globus-compute.md §8), each with
 * the exact report of what became of its keys; and templates, values and errors, with their places.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { Place } from "./command_line.ts";

const fixtures = join(import.meta.dir, "import_fixtures");
const sites = readdirSync(fixtures).sort();
/** Writes the reports anew, to be read before they are believed. */
const writes = process.env.GC_WRITE_GOLDEN === "1";

interface Note {
  file: string;
  line: number;
  column: number;
  key: string;
  value?: unknown;
  to?: string;
  why?: string;
}
interface Report {
  taken: Note[];
  changed: Note[];
  without_counterpart: Note[];
  warnings: string[];
}

describe("an endpoint of Globus Compute", () => {
  const house = new Place();
  afterAll(() => house.remove());

  test("there are as many examples as its documentation has", () => {
    expect(sites.length).toBe(18);
  });

  for (const site of sites) {
    const dir = join(fixtures, site);
    const importIt = async (): Promise<Report> => {
      const { code, stdout, stderr } = await house.gc(["endpoint", "import", dir, "--force", "--json"]);
      if (code !== 0) throw new Error(`${site}: ${stderr}`);
      return JSON.parse(stdout) as Report;
    };

    test(`${site} loads, and its report is exactly this one`, async () => {
      const report = await importIt();
      const text = reportText(report);
      if (writes) writeFileSync(join(dir, "report.txt"), text);
      expect(text).toBe(readFileSync(join(dir, "report.txt"), "utf8"));
    });

    test(`${site}: every key is told once, and what was taken is there as it was written`, async () => {
      const report = await importIt();
      const { taken, changed, without_counterpart } = report;
      const told = [...taken, ...changed, ...without_counterpart];
      const path = join(house.home, "endpoints", site, "config.yaml");
      loadEndpointConfig(path);
      const written = parse(readFileSync(path, "utf8"));
      for (const { file, line, column, key } of told.filter((note) => note.key !== note.file)) {
        // The place is where the key is written.
        const text =
          readFileSync(join(dir, file), "utf8")
            .split("\n")
            [line - 1]?.slice(column - 1) ?? "";
        expect(text.replace(/^"/, "")).toStartWith(key.startsWith("{%") ? key : (key.split(".").at(-1) ?? ""));
      }
      for (const { key, value } of taken) expect(valueAt(written, key)).toEqual(value);
      for (const { key } of without_counterpart) expect(valueAt(written, key)).toBeUndefined();
      for (const file of ["config.yaml", "user_environment.yaml"]) {
        const source = readIfThere(join(dir, file));
        const keys = told.filter((note) => note.file === file).map((note) => note.key);
        const inside = leaves(parse(source)).filter(
          (leaf) => !keys.some((key) => leaf === key || leaf.startsWith(`${key}.`)),
        );
        expect(inside).toEqual([]);
        expect(new Set(keys).size).toBe(keys.length);
      }
    });
  }

  test("the GlobusMPIEngine of the seed loads as printed", async () => {
    await house.gc(["endpoint", "import", join(fixtures, "expanse_mpi"), "--force"]);
    const { engine } = loadEndpointConfig(join(house.home, "endpoints", "expanse_mpi", "config.yaml"));
    expect(engine).toMatchObject({
      type: "batch",
      scheduler: "slurm",
      blocks: { nodes: 4, walltime_s: 3600 },
      mpi: { launcher: "srun", per_block_max: 1 },
    });
  });
});

describe("gc endpoint import", () => {
  let place: Place;
  let dir: string;
  beforeEach(() => {
    place = new Place();
    dir = join(place.dir, "hpc");
    mkdirSync(dir);
  });
  afterEach(() => place.remove());

  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  const run = (...more: string[]) => place.gc(["endpoint", "import", dir, ...more]);
  const report = async (...more: string[]) => JSON.parse((await run("--json", ...more)).stdout) as Report;
  const written = () => parse(readFileSync(join(place.home, "endpoints/hpc/config.yaml"), "utf8"));

  test("tells people what became of the keys, and the id alone when quiet", async () => {
    write("config.yaml", "engine: {type: GlobusComputeEngine, encrypted: true, provider: {type: LocalProvider}}\n");
    const { code, stdout, stderr } = await run();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Taken (2)\n  engine.type: GlobusComputeEngine  config.yaml:1:10\n");
    expect(stdout).toContain("Without a counterpart (1)\n  engine.encrypted: true\n      links are always encrypted");
    expect(stdout).toContain("\nNext: gc endpoint test hpc\n");
    expect((await run("--force", "--quiet")).stdout.trim()).toMatch(/^[0-9a-f-]{36}$/);
    expect((await run()).code).toBe(73);
  });

  test("a dry run writes nothing", async () => {
    write("config.yaml", "engine: {type: ThreadPoolEngine, max_workers: 2}\n");
    expect((await run("--dry-run")).stdout).toContain("Nothing was written");
    expect((await place.gc(["endpoint", "show", "hpc"])).code).not.toBe(0);
  });

  test("an unknown key is told with its place and what was probably meant, and left out", async () => {
    write("config.yaml", "engine:\n  type: GlobusComputeEngine\n  provider: {type: SlurmProvider, partion: debug}\n");
    expect((await report()).without_counterpart).toEqual([
      {
        file: "config.yaml",
        line: 3,
        column: 35,
        key: "engine.provider.partion",
        value: "debug",
        why: 'Globus Compute knows no such key; did you mean "partition"?',
      },
    ]);
    expect(written().engine.provider).toEqual({ type: "SlurmProvider" });
  });

  test("a template: defaults are put in, what the person says too, the rest is left out and told", async () => {
    write("config.yaml", "display_name: null\n");
    write(
      "user_config_template.yaml.j2",
      `{# nobody reads this: {{ x }} #}
engine:
  type: GlobusComputeEngine
  provider:
    type: SlurmProvider
    partition: {{ partition|default("debug") }}   # or {{ other }}
    account: {{ account }}
    qos: {{ qos|default(none) }}
    nodes_per_block: {{ nodes | d(2) }}
    worker_init: |
      module load base
      {{ worker_init|default() }}
      source {{ venv }}/bin/activate
    {% if account is defined %}
    reservation_of: {{ account }}
    {% else %}
    constraint: cpu
    {% endif %}
    {% for one in many %}
    walltime: {{ one }}
    {% endfor %}
`,
    );
    const first = await report();
    expect(written().engine.provider).toEqual({
      type: "SlurmProvider",
      partition: "debug",
      nodes_per_block: 2,
      worker_init: "module load base\n",
      constraint: "cpu",
    });
    expect(first.without_counterpart.map(({ key, line, column }) => [key, line, column])).toEqual([
      ["engine.provider.account", 7, 5],
      ["{% if account is defined %}", 14, 5],
      ["{% for one in many %}", 19, 5],
    ]);
    expect(first.changed.map(({ key }) => key)).toEqual(
      ["partition", "qos", "nodes_per_block", "worker_init"].map((key) => `engine.provider.${key}`),
    );
    expect(first.changed[3]?.why).toContain("{{ venv }} depends on who submits; to say it: --set venv=VALUE");

    await run("--force", "--set", "account=proj: x", "--set", "nodes=4", "--set", "venv=~/gc");
    expect(written().engine.provider).toMatchObject({ account: "proj: x", nodes_per_block: 4 });
    expect(written().engine.provider.constraint).toBeUndefined();
  });

  test("a template beside a configuration that has an engine is told, and not used", async () => {
    write("config.yaml", "engine: {type: ThreadPoolEngine, max_workers: 2}\n");
    write("user_config_template.yaml.j2", "{% include 'x' %}\nengine: {type: ProcessPoolEngine}\n");
    const { without_counterpart } = await report();
    expect(without_counterpart.map(({ key }) => key)).toEqual(["user_config_template.yaml.j2"]);
    expect(written().engine).toEqual({ type: "ThreadPoolEngine", max_workers: 2 });
  });

  test("nothing of a template is executed", async () => {
    write("user_config_template.yaml.j2", "engine: {type: {{ ''.__class__.__mro__ }}, max_workers: {{ 7 * 7 }}}\n");
    const { code, stderr } = await run();
    expect({ code, stderr }).toMatchObject({ code: 78 });
  });

  test("errors have file, line and column", async () => {
    const refusal = async (name: string, text: string): Promise<string> => {
      write(name, text);
      const { code, stderr } = await run();
      expect(code).toBe(78);
      return stderr;
    };
    const engine = "engine:\n  type: GlobusComputeEngine\n  provider:\n    type: SlurmProvider\n";
    expect(await refusal("config.yaml", `${engine}    nodes_per_block: four\n`)).toContain(`${dir}/config.yaml:5:22`);
    expect(await refusal("config.yaml", `${engine}    min_blocks: 3\n`)).toContain("config.yaml:5:17");
    expect(await refusal("config.yaml", "engine: {type: GlobusComputEngine}\n")).toContain(
      'did you mean "GlobusComputeEngine"? ',
    );
    expect(await refusal("config.yaml", "engine: [1\n")).toContain("config.yaml:2:1");
    expect(await refusal("config.yaml", "display_name: x\n")).toContain(
      'The configuration has no "engine", and there is no user_config_template.yaml.j2 beside it',
    );
    const template =
      'engine:\n  type: {{ type|default("GlobusComputeEngine") }}\n' +
      '  provider: {type: {{ p|d("SlurmProvider") }}, walltime: soon}\n';
    expect(await refusal("user_config_template.yaml.j2", template)).toContain("user_config_template.yaml.j2:3:58");
    expect(await refusal("user_config_template.yaml.j2", "engine: {{ x\n")).toContain(
      "user_config_template.yaml.j2:1:9",
    );
    expect(await refusal("user_config_template.yaml.j2", "{% if x %}\nengine: {}\n")).toContain(
      '"{% if x %}" has no "{% endif %}"',
    );
    expect(await refusal("user_config_template.yaml.j2", "{% if x %}\nengine: {}\n{% endif %}\n")).toContain(
      'The template has no "engine" that is there for everybody',
    );
  });

  test("a limit of functions does not become none", async () => {
    write(
      "config.yaml",
      "engine: {type: ThreadPoolEngine}\nallowed_functions: [6c8a8f2c-9b3b-4c0e-9e62-d0d0f3ed0c3e]\n",
    );
    const { changed, warnings } = await report();
    expect(changed).toMatchObject([{ key: "allowed_functions", to: "allowed_functions: []", line: 2, column: 1 }]);
    expect(warnings[0]).toStartWith('"allowed_functions" is empty now');
    expect(written().allowed_functions).toEqual([]);
  });

  test("a variable of the environment that cannot be one is refused with its place", async () => {
    write("config.yaml", "engine: {type: ThreadPoolEngine}\n");
    write("user_environment.yaml", "GOOD: 1\nnot-good: 2\n");
    expect((await run()).stderr).toContain("user_environment.yaml:2:1");
  });

  test("a directory that is none, one without a configuration, and one with a program", async () => {
    expect(await place.gc(["endpoint", "import", join(place.dir, "nowhere")])).toMatchObject({ code: 66 });
    expect((await run()).stderr).toContain("is no directory of a Globus Compute endpoint");
    write("config.py", "raise SystemExit('executed')\n");
    const { code, stderr } = await run();
    expect(code).toBe(78);
    expect(stderr).toContain("has a config.py, which is a program, and gc runs none");
  });

  test("a line of shell where gc wants words is not taken for one", async () => {
    const launcher = '{type: SrunLauncher, overrides: "-c 4; rm -rf $HOME"}';
    write(
      "config.yaml",
      `engine: {type: GlobusComputeEngine, provider: {type: SlurmProvider, launcher: ${launcher}}}\n`,
    );
    const { without_counterpart } = await report();
    expect(without_counterpart.map(({ key }) => key)).toEqual(["engine.provider.launcher.overrides"]);
    expect(written().engine.provider.launcher).toEqual({ type: "SrunLauncher" });
  });
});

/** The report as lines: what, where, why. */
function reportText({ taken, changed, without_counterpart, warnings }: Report): string {
  const line = ({ file, line: at, column, key, value, to, why }: Note): string => {
    const shown = value === undefined ? "" : ` ${JSON.stringify(value)}`;
    const more = [to === undefined ? "" : ` -> ${to}`, why === undefined ? "" : ` | ${why}`].join("");
    return `  ${file}:${at}:${column} ${key}${shown}${more}`;
  };
  return [
    "taken",
    ...taken.map(line),
    "changed",
    ...changed.map(line),
    "without_counterpart",
    ...without_counterpart.map(line),
    "warnings",
    ...warnings.map((text) => `  ${text}`),
    "",
  ].join("\n");
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Paths of all values that say something. */
function leaves(value: unknown, path = ""): string[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== "object" || Array.isArray(value)) return path === "" ? [] : [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === "" ? key : `${path}.${key}`));
}

function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (at as { [key: string]: unknown } | undefined)?.[key], value);
}
