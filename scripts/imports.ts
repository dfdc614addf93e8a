/**
 * Who may import whom. Folders are the flow of a task, and arrows only point down the table (DESIGN §8), so a reader
 * knows what a room cannot depend on; this program fails when an import points up, when files import each other in a
 * circle, when a package is used outside its room, and when a deciding file reaches for the world.
 *
 *     bun scripts/imports.ts
 */
import { join, normalize } from "node:path";
import { type Finding, lineAt, reportAndExit, type Source, sources, withoutComments } from "./sources.ts";

/** Files directly in `core/`: errors, assert, limits and such. They import no room, and every room may import them. */
const foundation = "core";

/** Each room, lowest first, with the rooms it may import besides itself and the foundation. */
export const rooms: { readonly [room: string]: readonly string[] } = {
  "core/schema": [],
  "core/task": ["core/schema"],
  "core/host": [],
  "core/access": ["core/schema", "core/task", "core/host"],
  "core/wire": ["core/schema", "core/task", "core/host", "core/access"],
  "core/envelope": ["core/schema", "core/task", "core/host", "core/access", "core/wire"],
  "core/config": ["core/schema", "core/task", "core/host", "core/access"],
  // Runs tasks; knows neither keys nor envelopes.
  "core/worker": ["core/schema", "core/task", "core/host", "core/wire"],
  // Must not know what a task does.
  "core/relay": ["core/schema", "core/task", "core/host", "core/access", "core/wire", "core/envelope", "core/config"],
  "core/submit": ["core/schema", "core/task", "core/host", "core/access", "core/wire", "core/envelope", "core/config"],
  "core/engine": ["core/schema", "core/task", "core/host", "core/wire", "core/worker"],
  "core/endpoint": [
    "core/schema",
    "core/task",
    "core/host",
    "core/access",
    "core/wire",
    "core/envelope",
    "core/config",
    "core/engine",
    "core/worker",
    "providers",
  ],
  // Pure renderers and readers: the contract and nothing else.
  providers: ["core/schema", "core/engine"],
  cmd: ["core/*", "providers"],
  sdk: ["core/*"],
  scripts: ["core/*", "providers", "cmd", "test"],
  test: ["core/*", "providers", "cmd", "scripts", "sdk"],
};

/** Single files that may do more, each for a reason. */
export const exceptions: { readonly [path: string]: readonly string[] } = {
  // With no relay configured, the client starts a private one; loaded only then.
  "core/submit/autostart.ts": ["core/relay"],
};

/** Files outside the rooms that are read into the executable, and the one place that may. */
const embedded: { readonly [path: string]: string } = {
  "package.json": "cmd/version.ts",
  "install.sh": "core/relay/",
  "core/python/values.py": "core/worker/",
  "core/python/calls.py": "core/worker/",
  "core/python/runner.py": "core/worker/",
  "sdk/python/gc_compute.py": "cmd/sdk/",
  "sdk/typescript/package.json": "cmd/sdk/",
  "sdk/typescript/printed/gc_compute.ts.txt": "cmd/sdk/",
  "sdk/typescript/printed/gc_compute.js.txt": "cmd/sdk/",
  "sdk/typescript/printed/gc_compute.d.ts.txt": "cmd/sdk/",
};

/** Packages, and the one place that may import each: swapping a package means editing one room. */
export const packages: { readonly [name: string]: string } = {
  "@clack/prompts": "cmd/",
  chalk: "cmd/",
  commander: "cmd/",
  yaml: "core/config/",
  "@peculiar/x509": "core/access/",
  "reflect-metadata": "core/access/",
  hpke: "test/envelope/",
  ws: "core/host/",
  "cron-parser": "core/config/",
  ajv: "scripts/",
  "fast-check": "test/",
  // Our own, in programs that tests write out.
  "gc-compute": "test/sdk/",
  "bun:sqlite": "core/relay/",
  "bun:ffi": "core/host/",
};

/** Files that decide. They take time and chance as data, so they import nothing that acts. */
const deciding = /(^|\/)(state|[a-z0-9_]+_state|lifecycle|dispatch|session|allocation|scale)\.ts$/;
/** What of `core/host` is only types and rules. */
const quietHost = new Set(["core/host/host.ts", "core/host/turn.ts"]);
const actingModule = /^(node:(fs|net|tls|http|https|http2|dgram|child_process|worker_threads|timers|os)|bun:|bun$)/;

/** One import: of `target`, a path in the repository or the name of a package. */
interface Import {
  readonly from: string;
  readonly line: number;
  readonly target: string;
  readonly is_type: boolean;
  /** `import("…")`: loaded when it is needed, so it cannot close a circle. */
  readonly is_late: boolean;
  readonly is_local: boolean;
}

/** All that is wrong with the imports of these files. */
export function importFindings(files: readonly Source[]): Finding[] {
  const code = files.filter(({ path }) => path.endsWith(".ts") && roomOf(path) !== undefined);
  const imports = code.flatMap(importsOf);
  return [...imports.flatMap(judge), ...circles(imports), ...deadFiles(code, imports)];
}

function importsOf({ path, text }: Source): Import[] {
  const bare = withoutComments(text);
  const found: Import[] = [];
  const early = /^(?:import|export)\s+(type\s)?(?:[\w$*\s{},]*?\sfrom\s*)?"([^"\n]+)"/;
  const late = /(?<![\w$.`'"])(?:import|require)\(\s*"([^"\n]+)"/;
  const statement = new RegExp(`${early.source}|${late.source}`, "gm");
  for (const match of bare.matchAll(statement)) {
    const name = match[2] ?? match[3] ?? "";
    if (/[\s${}]/.test(name)) continue; // A program that is written out by a template.
    const is_local = name.startsWith(".");
    found.push({
      from: path,
      line: lineAt(text, match.index),
      target: is_local ? normalize(join(path, "..", name)) : name,
      is_type: match[1] !== undefined,
      is_late: match[3] !== undefined,
      is_local,
    });
  }
  return found;
}

function judge(one: Import): Finding[] {
  const messages = one.is_local ? judgeLocal(one) : judgePackage(one);
  return messages.map((message) => ({ path: one.from, line: one.line, message }));
}

function judgeLocal({ from, target, is_type }: Import): string[] {
  if (deciding.test(from) && target.startsWith("core/host/") && !is_type && !quietHost.has(target)) {
    return [`a file that decides may not import "${target}": take what it gives as data`];
  }
  const reader = embedded[target];
  if (reader !== undefined) return from.startsWith(reader) ? [] : [`only ${reader} reads ${target}`];
  const room = roomOf(from) ?? "";
  const other = roomOf(target);
  if (other === undefined) return [`"${target}" is in no room of the table`];
  if (other === room || other === foundation) return [];
  if (room === foundation) return [`the foundation may not import "${other}"`];
  const allowed = rooms[room] ?? [];
  if (exceptions[from]?.includes(other)) return [];
  if (allowed.includes(other) || (allowed.includes("core/*") && other.startsWith("core/"))) return [];
  return [`"${room}" may not import "${other}"; it may import ${allowed.join(", ") || "no other room"}`];
}

function judgePackage({ from, target, is_type }: Import): string[] {
  if (deciding.test(from) && actingModule.test(target) && !is_type) {
    return [`a file that decides may not import "${target}"`];
  }
  const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : (target.split("/")[0] ?? target);
  const place = packages[name];
  if (place !== undefined) {
    return from.startsWith(place) || from.startsWith("test/") ? [] : [`only ${place} may import "${name}"`];
  }
  if (/^(node:|bun(:|$))/.test(target)) {
    return from.startsWith("providers/") ? [`providers may not import "${target}": they are pure`] : [];
  }
  return [`the package "${name}" has no place in scripts/imports.ts`];
}

/** Circles among the files, each told once. Imports of types alone, and late ones, do not count. */
function circles(imports: readonly Import[]): Finding[] {
  const edges = Map.groupBy(
    imports.filter((one) => one.is_local && !one.is_type && !one.is_late),
    (one) => one.from,
  );
  const findings: Finding[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) findings.push({ path, line: 0, message: `imports itself: ${[...trail.slice(at), path].join(" → ")}` });
    if (at >= 0 || done.has(path)) return;
    for (const { target } of edges.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return findings;
}

/** Files of the product that nothing imports. */
function deadFiles(code: readonly Source[], imports: readonly Import[]): Finding[] {
  const used = new Set(imports.map(({ target }) => target));
  return code
    .map(({ path }) => path)
    .filter((path) => /^(core|providers|cmd)\//.test(path) && !used.has(path))
    .filter((path) => path !== "cmd/gc.ts" && !path.endsWith(".d.ts"))
    .map((path) => ({ path, line: 0, message: "nothing imports this file" }));
}

/** The room of a file, `core` for the foundation, or undefined for what is in no room. */
export function roomOf(path: string): string | undefined {
  const [top = "", second = "", ...deeper] = path.split("/");
  if (top === "core") return deeper.length === 0 ? foundation : `core/${second}`;
  return second !== "" && top in rooms ? top : undefined;
}

if (import.meta.main) reportAndExit(importFindings(sources()), "imports");
