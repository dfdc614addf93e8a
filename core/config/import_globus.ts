/**
 * An endpoint of Globus Compute (globus-compute.md §1.8, §2, §5.5) → a configuration of gc, with a report of what was
 * taken, what was changed and what has no counterpart. Pure: files are data here, and nothing in them is executed.
 */
import { GcError } from "../errors.ts";
import type { EndpointConfigFile } from "../schema/config.ts";
import { configError, type Place } from "./document.ts";
import { checkedConfig } from "./endpoint_config.ts";
import { type ImportedEngine, importEngine, isMap, unknownKey } from "./import_engine.ts";
import { fileReasons, topReasons } from "./import_reasons.ts";
import { type ImportNote, type ImportReport, ImportSource } from "./import_source.ts";

/** One file of the directory: its name there, its path for errors, and what is in it. */
export interface ImportFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface Imported {
  readonly config: EndpointConfigFile;
  readonly report: ImportReport;
  /** What whoever starts the endpoint has to know first. */
  readonly warnings: readonly string[];
}

/** Names that are read; others are told when they matter, and else belong to the run of an endpoint. */
export const importNames = {
  config: "config.yaml",
  templates: ["user_config_template.yaml.j2", "user_config_template.yaml"],
  schema: "user_config_schema.json",
  environment: "user_environment.yaml",
} as const;

/**
 * @param directory for errors.
 * @param values what the person says for variables of the template.
 * @throws GcError config `import.*` and `config.*` with file, line and column.
 */
export function importGlobus(
  directory: string,
  files: readonly ImportFile[],
  values: { readonly [name: string]: string } = {},
): Imported {
  return new GlobusImport(directory, files, values).run();
}

class GlobusImport {
  private readonly directory: string;
  private readonly files: ReadonlyMap<string, ImportFile>;
  private readonly values: { readonly [name: string]: string };
  private readonly report: ImportReport = { taken: [], changed: [], without_counterpart: [] };
  private readonly config: { [key: string]: unknown } = {};
  private readonly warnings: string[] = [];
  private imported: { engine: ImportedEngine; source: ImportSource } | undefined;

  constructor(directory: string, files: readonly ImportFile[], values: { readonly [name: string]: string }) {
    this.directory = directory;
    this.files = new Map(files.map((file) => [file.name, file]));
    this.values = values;
  }

  run(): Imported {
    const manager = this.source(importNames.config);
    if (manager !== undefined) this.settings(manager);
    const { template, name } = this.template(manager);
    const own = this.imported !== undefined;
    if (template !== undefined && own)
      this.file(template.file, 'config.yaml has an "engine" of its own, so this is not used');
    else if (template !== undefined) this.settings(template);
    if (this.imported === undefined) throw this.noEngine(manager, template, name);
    if (template !== undefined && !own) this.leftOut(template);
    this.options();
    this.environment();
    for (const [file, why] of Object.entries(fileReasons)) if (this.files.has(file)) this.file(file, why);
    return this.checked(this.imported);
  }

  private leftOut({ file, leftOut }: ImportSource): void {
    for (const { source, line, column, last_line } of leftOut) {
      const alone = line === last_line;
      const why = alone ? "gc executes no templates" : `depends on who submits; left out up to line ${last_line}`;
      this.report.without_counterpart.push({ file, line, column, key: `{% ${source} %}`, why });
    }
  }

  /** Checks what was made of it, so that whatever is wrong is told with the place where it is written. */
  private checked({ engine, source }: { engine: ImportedEngine; source: ImportSource }): Imported {
    const { worker_init, moved, warnings } = engine;
    const config = {
      ...this.config,
      engine: engine.engine,
      ...(worker_init === undefined ? {} : { worker_init }),
    };
    const written = (keys: readonly string[]): readonly string[] => moved.get(keys.join(".")) ?? keys;
    const places = {
      placeOf: (keys: readonly string[]) => source.placeOf(written(keys)),
      placeOfKey: (above: readonly string[], key: string) => source.placeOfKey(above, key),
    };
    checkedConfig(config, places, source.path);
    const inOrder = (notes: ImportNote[]): ImportNote[] =>
      notes.sort((a, b) => this.order(a.file) - this.order(b.file) || a.line - b.line || a.column - b.column);
    const { taken, changed, without_counterpart } = this.report;
    const report = {
      taken: inOrder(taken),
      changed: inOrder(changed),
      without_counterpart: inOrder(without_counterpart),
    };
    return { config: config as unknown as EndpointConfigFile, report, warnings: [...this.warnings, ...warnings] };
  }

  private order(file: string): number {
    return [...this.files.keys()].indexOf(file);
  }

  private source(name: string, values?: { readonly [name: string]: string }): ImportSource | undefined {
    const file = this.files.get(name);
    if (file === undefined) return undefined;
    const source = new ImportSource(name, file.path, file.bytes, values);
    if (isMap(source.value)) return source;
    throw configError("import.no_map", "The file must hold keys and values", file.path, source.placeOf([]));
  }

  /** The template, which the manager's configuration may have elsewhere. */
  private template(manager: ImportSource | undefined): { template: ImportSource | undefined; name: string } {
    const said = (manager?.value as { user_config_template_path?: unknown } | undefined)?.user_config_template_path;
    const own = typeof said === "string" ? said.split("/").at(-1) : undefined;
    const name = own ?? importNames.templates.find((one) => this.files.has(one)) ?? importNames.templates[0];
    return { template: this.source(name, this.values), name };
  }

  /** Everything at the top of a configuration or of a template. */
  private settings(source: ImportSource): void {
    for (const [key, value] of Object.entries(source.value as { [key: string]: unknown })) {
      const keys = [key];
      if (value === null && source.settle(keys, null).why === undefined) continue;
      if (key === "engine") this.engine(source, value);
      else if (key === "display_name") this.displayName(source, value);
      else if (key === "debug") this.debug(source, value);
      else if (key === "allowed_functions") this.functions(source, value);
      else if (key === "user_config_template_path" || key === "user_config_schema_path") {
        const found = this.files.has(String(value).split("/").at(-1) ?? "");
        if (found) this.report.taken.push(source.note(keys, { value }));
        else this.without(source, keys, value, "there is no such file in the directory");
      } else if (Object.hasOwn(topReasons, key)) this.without(source, keys, value, topReasons[key] ?? "");
      else
        this.without(
          source,
          keys,
          value,
          unknownKey(key, ["engine", "display_name", "debug", "allowed_functions", ...Object.keys(topReasons)]),
        );
    }
  }

  private engine(source: ImportSource, value: unknown): void {
    if (!isMap(value)) {
      const what = '"engine" must hold keys and values';
      throw configError("import.no_engine", what, source.path, source.placeOf(["engine"]));
    }
    this.imported = { engine: importEngine(source, value, this.report), source };
  }

  private displayName(source: ImportSource, value: unknown): void {
    const keys = ["display_name"];
    const settled = source.settle(keys, value);
    if (settled.value === "None") return;
    if (settled.value === undefined || this.config.display_name !== undefined) {
      return this.without(source, keys, value, settled.why ?? "config.yaml names the endpoint already");
    }
    if (typeof settled.value !== "string" || settled.value === "" || settled.value.length > 64) {
      const what = '"display_name" must be a text of 1 to 64 characters';
      throw configError("config.bad_value", what, source.path, source.placeOf(keys));
    }
    this.config.display_name = settled.value;
    if (settled.why === undefined) this.report.taken.push(source.note(keys, { value }));
    else this.report.changed.push(source.note(keys, { value, to: "display_name", why: settled.why }));
  }

  /** A limit must not become none: as nobody can tell which functions were meant, none may run. */
  private functions(source: ImportSource, value: unknown): void {
    this.config.allowed_functions = [];
    const why = "these are ids of Globus; until functions are listed by gc's own ids (gc function list), nothing runs";
    this.report.changed.push(source.note(["allowed_functions"], { value, to: "allowed_functions: []", why }));
    this.warnings.push(`"allowed_functions" is empty now: ${why}`);
  }

  private debug(source: ImportSource, value: unknown): void {
    const level = value === true ? "debug" : "info";
    this.config.log_level = level;
    const why = "how much is logged is a level";
    this.report.changed.push(source.note(["debug"], { value, to: `log_level: ${level}`, why }));
  }

  /** What users could say for themselves, and now only the configuration says. */
  private options(): void {
    const source = this.source(importNames.schema);
    const properties = (source?.value as { properties?: unknown } | undefined)?.properties;
    if (source === undefined || !isMap(properties)) return;
    for (const name of Object.keys(properties)) {
      const why = Object.hasOwn(this.values, name)
        ? "--set has said it; users of a gc endpoint have no options of their own"
        : "users of a gc endpoint have no options of their own; its configuration says it for all";
      this.without(source, ["properties", name], undefined, why);
    }
  }

  private environment(): void {
    const source = this.source(importNames.environment);
    if (source === undefined) return;
    const env: { [name: string]: string } = {};
    for (const [name, value] of Object.entries(source.value as { [key: string]: unknown })) {
      if (value === null) continue;
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        const what = `${JSON.stringify(name)} cannot name a variable`;
        throw configError("config.bad_value", what, source.path, source.placeOfKey([], name));
      }
      if (typeof value === "object") {
        const what = `The variable "${name}" must be a text or a number`;
        throw configError("config.bad_value", what, source.path, source.placeOf([name]));
      }
      env[name] = String(value);
      const why = "a variable of every task";
      this.report.changed.push(source.note([name], { value, to: `env.${name}`, why }));
    }
    if (Object.keys(env).length > 0) this.config.env = env;
  }

  private without(source: ImportSource, keys: readonly string[], value: unknown, why: string): void {
    this.report.without_counterpart.push(source.note(keys, { value, why }));
  }

  /** A file as a whole. */
  private file(file: string, why: string): void {
    const start: Place = { line: 1, column: 1 };
    this.report.without_counterpart.push({ file, ...start, key: file, why });
  }

  private noEngine(manager: ImportSource | undefined, template: ImportSource | undefined, name: string): GcError {
    const hint = "gc endpoint configure NAME --from FILE";
    if (this.files.has("config.py") && manager === undefined) {
      const what = `"${this.directory}" has a config.py, which is a program, and gc runs none`;
      return new GcError("config", "import.no_engine", what, { hint: "gc endpoint configure NAME --scheduler auto" });
    }
    if (template !== undefined) {
      const what = 'The template has no "engine" that is there for everybody';
      return configError("import.no_engine", what, template.path, template.placeOf([]));
    }
    if (manager !== undefined) {
      const what = `The configuration has no "engine", and there is no ${name} beside it`;
      return configError("import.no_engine", what, manager.path, manager.placeOf([]));
    }
    const what = `"${this.directory}" is no directory of a Globus Compute endpoint: it has no ${importNames.config}`;
    return new GcError("missing", "import.nothing", what, { hint });
  }
}
