/**
 * The `engine` of a Globus Compute endpoint → the same engine with the keys that mean something to gc, in Globus
 * Compute's own form, which gc reads (`globus_engine.ts`). Each key is told: taken, changed, or without a counterpart.
 */
import {
  globusComputeEngineSchema,
  globusLauncherSchema,
  globusMpiEngineSchema,
  globusProviderSchema,
  processPoolEngineSchema,
  threadPoolEngineSchema,
} from "../schema/globus_engine.ts";
import type { Schema } from "../schema/static.ts";
import {
  engineReasons,
  foreignProviders,
  launcherReasons,
  localReasons,
  providerReasons,
  statusReasons,
  withoutBlocks,
} from "./import_reasons.ts";
import type { ImportReport, ImportSource } from "./import_source.ts";
import { nearest } from "./nearest.ts";

type Values = { [key: string]: unknown };

/** An engine that was read, and what else has to be said. */
export interface ImportedEngine {
  readonly engine: Values;
  /** What runs before tasks, where no block is there to run it. */
  readonly worker_init?: string;
  /** Key of the new engine → keys where it was written, for those that moved. */
  readonly moved: ReadonlyMap<string, readonly string[]>;
  /** What whoever starts the endpoint has to know first. */
  readonly warnings: readonly string[];
}

/** Keys of the engine that matter where nothing is a block. */
const engines: { readonly [type: string]: Schema } = {
  GlobusComputeEngine: globusComputeEngineSchema,
  GlobusMPIEngine: globusMpiEngineSchema,
  ThreadPoolEngine: threadPoolEngineSchema,
  ProcessPoolEngine: processPoolEngineSchema,
};

/** @param written what stands at `engine` in `source`. */
export function importEngine(source: ImportSource, written: Values, report: ImportReport): ImportedEngine {
  return new EngineImport(source, report).run(written);
}

class EngineImport {
  private readonly source: ImportSource;
  private readonly report: ImportReport;
  private readonly moved = new Map<string, readonly string[]>();
  private readonly warnings: string[] = [];
  private worker_init: string | undefined;

  constructor(source: ImportSource, report: ImportReport) {
    this.source = source;
    this.report = report;
  }

  run(written: Values): ImportedEngine {
    const engine: Values = {};
    const type = String(written.type ?? "GlobusComputeEngine");
    if (written.type === undefined || written.type === null) {
      const why = "no type is written, which means this one";
      this.report.changed.push(this.source.note(["engine"], { to: `engine.type: ${type}`, why }));
      engine.type = type;
    }
    const provider = isMap(written.provider) ? written.provider : undefined;
    const here = provider === undefined || provider.type === "LocalProvider" || isForeign(provider.type);
    const pool = type === "ThreadPoolEngine" || type === "ProcessPoolEngine";
    const reasons = { ...engineReasons, ...(here && !pool ? localReasons : {}) };
    const known = engines[type]?.properties ?? {};
    for (const [key, value] of Object.entries(written)) {
      const keys = ["engine", key];
      if (value === null && this.settledEmpty(keys)) continue;
      if (key === "type") this.take(keys, value, engine);
      else if (key === "provider" && isMap(value) && !pool) engine.provider = this.provider(value);
      else if (key === "job_status_kwargs" && isMap(value) && !here) this.statusOptions(value, engine);
      else if (key === "strategy" && !pool) this.strategy(value, engine, here);
      else if (key === "max_workers_per_node" && type === "GlobusMPIEngine") this.programs(value, written, engine);
      else if (key === "container_type") this.container(value, engine);
      else if (key === "container_cmd_options" && String(value).includes("$")) this.options(value, engine);
      else if (Object.hasOwn(reasons, key) && !this.means(type, key, here)) this.without(keys, value, reasons[key]);
      else if (Object.hasOwn(known, key)) this.take(keys, value, engine, known[key]);
      else this.unknown(keys, value, [...Object.keys(known), ...Object.keys(reasons)]);
    }
    const init = this.worker_init === undefined ? {} : { worker_init: this.worker_init };
    return { engine, ...init, moved: this.moved, warnings: this.warnings };
  }

  /** Keys that are without a counterpart in some engines, and not in this one. */
  private means(type: string, key: string, here: boolean): boolean {
    if (type === "GlobusMPIEngine") return ["mpi_launcher", "max_workers_per_block"].includes(key);
    return key === "cores_per_worker" && type === "GlobusComputeEngine" && !here;
  }

  private provider(written: Values): Values {
    const at = ["engine", "provider"];
    const type = written.type;
    if (isForeign(type)) return this.foreign(written, type);
    const local = type === "LocalProvider";
    const known = globusProviderSchema.oneOf.find((one) => one.properties.type.const === type)?.properties ?? {};
    const provider: Values = {};
    for (const [key, value] of Object.entries(written)) {
      const keys = [...at, key];
      if (value === null && this.settledEmpty(keys)) continue;
      if (key === "type") this.take(keys, value, provider);
      else if (local) this.localProviderKey(keys, key, value, Object.keys(known));
      else if (key === "launcher" && isMap(value)) provider.launcher = this.launcher(value);
      else if (Object.hasOwn(providerReasons, key)) this.without(keys, value, providerReasons[key]);
      else if (Object.hasOwn(known, key)) this.take(keys, value, provider, known[key as keyof typeof known]);
      else this.unknown(keys, value, Object.keys(known));
    }
    return provider;
  }

  private localProviderKey(keys: string[], key: string, value: unknown, known: string[]): void {
    if (key === "worker_init") {
      const { value: lines, why } = this.source.settle(keys, value);
      if (lines === undefined) return this.without(keys, value, why);
      this.worker_init = String(lines);
      const moved = "tasks on this machine have it at the top of the configuration";
      this.report.changed.push(this.source.note(keys, { value, to: "worker_init", why: joined(moved, why) }));
    } else if (known.includes(key)) this.without(keys, value, withoutBlocks);
    else this.unknown(keys, value, known);
  }

  private launcher(written: Values): Values {
    const found = globusLauncherSchema.oneOf.find((one) => one.properties.type.const === written.type)?.properties;
    const known: { readonly [key: string]: Schema } = found ?? {};
    const launcher: Values = {};
    for (const [key, value] of Object.entries(written)) {
      const keys = ["engine", "provider", "launcher", key];
      if (value === null && this.settledEmpty(keys)) continue;
      if (key === "type") this.take(keys, value, launcher);
      else if (Object.hasOwn(launcherReasons, key)) this.without(keys, value, launcherReasons[key]);
      else if (typeof value === "string" && /[;&|<>`$()\n]/.test(value)) this.without(keys, value, noShell);
      else if (Object.hasOwn(known, key)) this.take(keys, value, launcher, known[key]);
      else this.unknown(keys, value, Object.keys(known));
    }
    return launcher;
  }

  /** A scheduler that gc does not speak: everything of it is without a counterpart, and tasks would run here. */
  private foreign(written: Values, type: string): Values {
    const title = foreignProviders[type] ?? type;
    const at = ["engine", "provider"];
    const why = `gc does not speak to ${title}`;
    const to = "engine.provider.type: LocalProvider";
    this.report.changed.push(
      this.source.note([...at, "type"], {
        value: type,
        to,
        why: `${why}; until you choose, tasks run on this machine`,
      }),
    );
    for (const [key, value] of Object.entries(written)) {
      if (key !== "type" && value !== null) this.without([...at, key], value, `${why}, and this is for it`);
    }
    this.warnings.push(`${why}: until you choose another engine, tasks would run on this very machine`);
    return { type: "LocalProvider" };
  }

  private statusOptions(written: Values, engine: Values): void {
    const kept: Values = {};
    for (const [key, value] of Object.entries(written)) {
      const keys = ["engine", "job_status_kwargs", key];
      if (value === null && this.settledEmpty(keys)) continue;
      if (key === "max_idletime" || (key === "strategy" && value === "none")) this.take(keys, value, kept);
      else if (Object.hasOwn(statusReasons, key)) this.without(keys, value, statusReasons[key]);
      else this.unknown(keys, value, ["max_idletime", ...Object.keys(statusReasons)]);
    }
    if (Object.keys(kept).length > 0) engine.job_status_kwargs = { ...kept, ...(engine.job_status_kwargs as Values) };
  }

  /** A word, of which only "none" means something; or the form that Globus Compute has removed. */
  private strategy(value: unknown, engine: Values, here: boolean): void {
    const keys = ["engine", "strategy"];
    if (!isMap(value)) {
      if (value === "none" && !here) this.take(keys, value, engine);
      else this.without(keys, value, here ? withoutBlocks : engineReasons.strategy);
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      if (inner === null) continue;
      if (key === "max_idletime" && !here) {
        engine.job_status_kwargs = { ...(engine.job_status_kwargs as Values), max_idletime: inner };
        this.moved.set("engine.job_status_kwargs.max_idletime", [...keys, key]);
        const why = "Globus Compute has removed this form";
        const to = "engine.job_status_kwargs.max_idletime";
        this.report.changed.push(this.source.note([...keys, key], { value: inner, to, why }));
      } else this.without([...keys, key], inner, "Globus Compute has removed this form");
    }
  }

  /** Their tutorial says per node where the engine means per block. */
  private programs(value: unknown, written: Values, engine: Values): void {
    const keys = ["engine", "max_workers_per_node"];
    const why = "an MPI engine shares out blocks, not nodes";
    if (written.max_workers_per_block !== undefined) return this.without(keys, value, why);
    const to = "engine.max_workers_per_block";
    engine.max_workers_per_block = value;
    this.moved.set(to, keys);
    this.report.changed.push(this.source.note(keys, { value, to, why }));
  }

  private container(value: unknown, engine: Values): void {
    engine.container_type = value;
    const why = "gc runs each task in the container, not the worker; its image needs nothing of Globus Compute";
    this.report.changed.push(
      this.source.note(["engine", "container_type"], { value, to: "engine.container_type", why }),
    );
  }

  private options(value: unknown, engine: Values): void {
    const key = "container_cmd_options";
    engine[key] = value;
    const why = "gc puts no variables in here: write what they stand for";
    this.report.changed.push(this.source.note(["engine", key], { value, to: `engine.${key}`, why }));
    this.warnings.push(`"engine.${key}" has a variable in it, and ${why}`);
  }

  /** Takes a value as it is, or as the schema wants it written. */
  private take(keys: readonly string[], value: unknown, into: Values, schema?: Schema): void {
    const settled = this.source.settle(keys, value);
    if (settled.value === undefined) return this.without(keys, undefined, settled.why);
    const converted = convert(settled.value, schema);
    if (converted.value !== null) into[keys.at(-1) ?? ""] = converted.value;
    const why = joined(converted.why, settled.why);
    const found = { value: settled.value };
    if (why === "") this.report.taken.push(this.source.note(keys, found));
    else this.report.changed.push(this.source.note(keys, { ...found, to: keys.join("."), why }));
  }

  private without(keys: readonly string[], value: unknown, why = ""): void {
    this.report.without_counterpart.push(this.source.note(keys, { ...(value === undefined ? {} : { value }), why }));
  }

  private unknown(keys: readonly string[], value: unknown, known: readonly string[]): void {
    this.without(keys, value, unknownKey(keys.at(-1) ?? "", known));
  }

  /** A key without a value says nothing, unless a template left it empty. */
  private settledEmpty(keys: readonly string[]): boolean {
    return this.source.settle(keys, null).why === undefined;
  }
}

/** What is meant for a shell would reach the launcher as words, and mean something else. */
const noShell = "it is meant for a shell, and gc gives the launcher plain words";

/** Why a key that neither gc nor Globus Compute knows is left out. */
export function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `Globus Compute knows no such key${meant === undefined ? "" : `; did you mean "${meant}"?`}`;
}

/** Values that PyYAML reads in another way than YAML 1.2, or that gc wants as text. */
function convert(value: unknown, schema: Schema | undefined): { value: unknown; why?: string } {
  if (schema?.type === "boolean" && typeof value === "string" && /^(yes|no|on|off)$/i.test(value)) {
    return { value: /^(yes|on)$/i.test(value), why: `"${value}" was a boolean in YAML 1.1` };
  }
  const list = schema?.oneOf?.some((one) => one.type === "array" && one.items?.type === "string");
  if (list && Array.isArray(value) && value.some((item) => typeof item === "number")) {
    return { value: value.map(String), why: "names are text" };
  }
  return { value };
}

function joined(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join("; ");
}

function isForeign(type: unknown): type is string {
  return typeof type === "string" && Object.hasOwn(foreignProviders, type);
}

export function isMap(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
