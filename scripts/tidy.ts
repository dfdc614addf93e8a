/**
 * The house rules that a program can check (docs/STYLE.md), each with what to do instead. What a formatter, a linter or
 * the compiler can check is theirs: biome.json, tsconfig.json; who may import whom is `imports.ts`.
 *
 *     bun scripts/tidy.ts
 *     bun scripts/rewrap.ts FILE…    breaks comments that are too long
 */
import { existsSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { type Finding, lineAt, reportAndExit, root, type Source, sources, withoutComments } from "./sources.ts";

const linesMax = 400;
const columnsMax = 120;

/** A pattern that is not wanted in code, and what is. `places` may hold it all the same. */
interface Banned {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly places: readonly string[];
}

/** Where the world may be touched: the host itself, what a person starts, our tools and tests. */
const acting = ["core/host/", "cmd/", "core/planted.ts", "scripts/", "test/", "sdk/"];

export const banned: readonly Banned[] = [
  { pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/g, instead: "take host.clock", places: acting },
  {
    pattern: /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\bgetRandomValues\b/g,
    instead: "take host.random",
    places: acting,
  },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate|Bun\.sleep(Sync)?)\b/g,
    instead: "take host.clock.after, or `soon` of core/host/turn.ts",
    places: acting,
  },
  { pattern: /\b(process|Bun)\.env\b/g, instead: "take host.env", places: acting },
  {
    pattern: /\bBun\.spawn(Sync)?\b|\bnode:child_process\b|\bprocess\.kill\b/g,
    instead: "go through core/host/processes.ts",
    // The one place where a task becomes a process.
    places: [...acting, "core/worker/process.ts"],
  },
  {
    pattern: /(?<![\w$.])fetch\(|\bBun\.(serve|listen|connect)\b|\bnew WebSocket\b|\bnode:(net|tls|https?)\b/g,
    instead: "go through core/wire, or core/host",
    places: [...acting, "core/wire/"],
  },
  {
    pattern: /\bprocess\.exit\b/g,
    instead: "return an exit code",
    places: ["cmd/", "core/host/", "scripts/", "test/"],
  },
  { pattern: /\bconsole\.\w+/g, instead: "take host.log, or the printer", places: acting },
  {
    pattern: /\bnew Function\b|(?<![\w$.])eval\(/g,
    instead: "write it out: the executable forbids it",
    places: ["test/"],
  },
  {
    pattern: /(?<![\w$.])import\((?!\s*["`][^$`]*["`]\s*(,|\)))/g,
    instead: "import a plain string, or the file is not in the executable",
    places: ["scripts/", "test/"],
  },
  {
    pattern: /(?<![\w$.])(planted|crashPoint)\((?!\s*"[^"\n]*"\s*,?\s*\)|name\b)/g,
    instead: "give one plain string, so that a release build can be rid of it",
    places: ["scripts/", "test/"],
  },
  {
    pattern: /(?<![\w$.])crashPoint\(\s*"(?!\w+\.(before|after)_\w+")[^"\n]*"/g,
    instead: "name it room.before_step or room.after_step",
    places: ["scripts/", "test/"],
  },
  {
    pattern: /\b(test|it|describe)\.(skip|todo|only)\b/g,
    instead: "make it pass, or delete it",
    places: ["scripts/"],
  },
];

/** Words that say nothing about what a file holds. */
const emptyNames = /^(utils?|helpers?|common|index|mod|misc|shared|lib)$/;
const plainName = /^[a-z0-9]+(_[a-z0-9]+)*$/;

/** Paths of the machines this was written on; spelled apart, so that this file passes. */
const machinePaths = new RegExp(["/wo" + "rk/", "/fa" + "rm/"].map((path) => `(?<![\\w.-])${path}`).join("|"), "g");

/** All breaches of the rules in these files. */
export function tidyFindings(files: readonly Source[]): Finding[] {
  return files.flatMap((file) => {
    const is_code = file.path.endsWith(".ts");
    const is_shell = /^#!\/bin\/sh\b/.test(file.text);
    return [
      ...machinePathFindings(file),
      ...(is_code || is_shell ? sizeFindings(file) : []),
      ...(is_code ? [...nameFindings(file), ...bannedFindings(file)] : []),
      ...(is_code && !file.path.endsWith("_test.ts")
        ? openingFindings(file, /^(#!.*\n)?\/\*\*\s[\s\S]*?\w\.[\s\S]*?\*\//)
        : []),
      ...(is_shell ? openingFindings(file, /^#!.*\n# \S.{20}/) : []),
      ...(file.path.endsWith(".md") ? linkFindings(file) : []),
    ];
  });
}

function sizeFindings({ path, text }: Source): Finding[] {
  const lines = text.split("\n");
  const findings = lines.flatMap((line, index) => {
    // An address cannot be broken; it may stand alone in a line that is too long.
    if (line.length <= columnsMax || /^\W*https?:\/\/\S+$/.test(line)) return [];
    return [
      {
        path,
        line: index + 1,
        message: `${line.length} columns; at most ${columnsMax}`,
      },
    ];
  });
  const count = lines.length - 1;
  if (count > linesMax && path.endsWith(".ts")) {
    findings.push({ path, line: 0, message: `${count} lines; at most ${linesMax}: it holds more than one idea` });
  }
  return findings;
}

function nameFindings({ path }: Source): Finding[] {
  const parts = [...dirname(path).split("/"), basename(path).replace(/(_test|\.d)?\.ts$/, "")];
  return parts.flatMap((part) => {
    if (part === "." || (plainName.test(part) && !emptyNames.test(part))) return [];
    const why = emptyNames.test(part) ? "says nothing: name what the file is" : "is not lowercase words joined by _";
    return [{ path, line: 0, message: `the name "${part}" ${why}` }];
  });
}

function openingFindings({ path, text }: Source, opening: RegExp): Finding[] {
  if (opening.test(text)) return [];
  return [{ path, line: 1, message: "no opening paragraph: say what this is, and what it never does" }];
}

function bannedFindings({ path, text }: Source): Finding[] {
  const code = withoutComments(text);
  return banned.flatMap(({ pattern, instead, places }) => {
    if (places.some((place) => path.startsWith(place))) return [];
    return [...code.matchAll(pattern)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      message: `"${match[0].trim()}" is not used here: ${instead}`,
    }));
  });
}

function machinePathFindings({ path, text }: Source): Finding[] {
  return [...text.matchAll(machinePaths)].map((match) => ({
    path,
    line: lineAt(text, match.index),
    message: `"${match[0]}" exists on one machine only`,
  }));
}

/** Links of a Markdown file to files of the repository, and to headings in them, that lead nowhere. */
function linkFindings({ path, text }: Source): Finding[] {
  const prose = text.replace(/```[\s\S]*?```|`[^`\n]*`/g, (code) => code.replace(/[^\n]/g, " "));
  return [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].flatMap((match) => {
    const [target = "", heading] = (match[1] ?? "").split("#");
    if (/^[a-z][a-z0-9+.-]*:/i.test(match[1] ?? "")) return [];
    const file = target === "" ? path : normalize(join(dirname(path), target));
    const line = lineAt(text, match.index);
    if (!existsSync(join(root, file)))
      return [{ path, line, message: `the link leads to "${file}", which is not there` }];
    if (heading === undefined || heading === "" || !file.endsWith(".md")) return [];
    const other = sources().find((source) => source.path === file);
    if (other === undefined || headingsOf(other.text).has(heading)) return [];
    return [{ path, line, message: `"${file}" has no heading #${heading}` }];
  });
}

/** Headings as links name them: lower case, without punctuation, spaces as hyphens. */
function headingsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+\s+(.*)$/gm)].map((match) => match[1] ?? "");
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
  return new Set(headings.map(slug));
}

if (import.meta.main) reportAndExit(tidyFindings(sources()), "tidy");
