/**
 * A template of Globus Compute (Jinja) → YAML text with the same lines, as far as that needs no program: comments go,
 * variables get their default or what the person says, `{% set %}` of a plain value and `{% if x is defined %}` are
 * followed. Everything else is marked or left out, and told. Nothing of a template is ever executed.
 */
import { configError, type Place } from "./document.ts";

/** One `{{ … }}`. */
export interface Expression extends Place {
  /** As written, without the braces. */
  readonly source: string;
  /** The variable, when it is about one. */
  readonly variable?: string;
  /** What stands in its place; undefined: nothing that could be known. */
  readonly value?: string;
  /** The person said it. */
  readonly said?: true;
}

/** Lines that depend on what is not known here. */
export interface LeftOut extends Place {
  /** The statement that rules them, without its braces. */
  readonly source: string;
  readonly last_line: number;
}

export interface RenderedTemplate {
  /** YAML; an expression without a value is its marker. */
  readonly text: string;
  /** The same with a marker for every expression, so that one can tell which keys they are in. */
  readonly marked: string;
  readonly expressions: readonly Expression[];
  readonly left_out: readonly LeftOut[];
  /** From a place in `text` to that in the template. */
  sourceOf(place: Place): Place;
}

/** Finds markers; the group is the index of the expression. These characters have no meaning to anybody. */
export const marker = /\uE000(\d+)\uE001/g;

interface Token {
  readonly kind: "text" | "expression" | "statement" | "comment";
  readonly at: number;
  readonly text: string;
  /** What is between the braces. */
  readonly inner: string;
}

interface Frame {
  readonly end: string;
  readonly token: Token;
  take: boolean;
  /** For an `if` that can be decided: whether it was true so far. */
  truth: boolean | undefined;
  /** What is around it is taken. */
  readonly outer: boolean;
  told: boolean;
}

/** Statements with a body, and the word that ends it. */
const bodies = ["if", "for", "macro", "call", "filter", "block", "with", "raw", "autoescape"];

/**
 * `values`: what the person says for variables. `path` is for errors.
 * @throws GcError config `import.bad_template` with the place, for braces and statements that do not close.
 */
export function renderTemplate(
  text: string,
  path: string,
  values: { readonly [name: string]: string },
): RenderedTemplate {
  return new Rendering(text, path, values).run();
}

class Rendering {
  private readonly text: string;
  private readonly path: string;
  private readonly values: { [name: string]: string };
  private readonly constants: { [name: string]: string } = {};
  private readonly expressions: Expression[] = [];
  private readonly left_out: LeftOut[] = [];
  private readonly frames: Frame[] = [];
  private readonly pieces: { out: number; at: number; verbatim: boolean }[] = [];
  private readonly starts: readonly number[];
  private out = "";
  private marked = "";

  constructor(text: string, path: string, values: { readonly [name: string]: string }) {
    this.text = text;
    this.path = path;
    this.values = values;
    this.starts = lineStarts(text);
  }

  run(): RenderedTemplate {
    for (const token of this.tokens()) {
      if (token.kind === "statement") this.statement(token);
      const taken = this.frames.every(({ take }) => take);
      this.pieces.push({ out: this.out.length, at: token.at, verbatim: token.kind === "text" });
      if (token.kind === "text" && taken) this.write(token.text, token.text);
      else if (token.kind === "expression" && taken) this.expression(token);
      else this.write(lineEnds(token.text), lineEnds(token.text));
    }
    const open = this.frames.at(-1);
    if (open !== undefined) throw this.wrong(open.token.at, `"{% ${open.token.inner} %}" has no "{% ${open.end} %}"`);
    const starts = lineStarts(this.out);
    const sourceOf = ({ line, column }: Place): Place => {
      const offset = (starts[line - 1] ?? 0) + column - 1;
      const piece = this.pieces.findLast(({ out }) => out <= offset);
      if (piece === undefined) return { line, column };
      return this.placeOf(piece.at + (piece.verbatim ? offset - piece.out : 0));
    };
    const { out, marked, expressions, left_out } = this;
    return { text: out, marked, expressions, left_out, sourceOf };
  }

  private *tokens(): Generator<Token> {
    const kinds = { "{{": ["expression", "}}"], "{%": ["statement", "%}"], "{#": ["comment", "#}"] } as const;
    const opens = /\{[{%#]/g;
    let at = 0;
    while (at < this.text.length) {
      opens.lastIndex = at;
      const next = opens.exec(this.text)?.index ?? this.text.length;
      if (next > at) yield { kind: "text", at, text: this.text.slice(at, next), inner: "" };
      if (next === this.text.length) return;
      const braces = this.text.slice(next, next + 2) as keyof typeof kinds;
      const [kind, close] = kinds[braces];
      const end = kind === "comment" ? this.text.indexOf(close, next + 2) : endOf(this.text, next + 2, close);
      if (end === -1) throw this.wrong(next, `"${braces}" has no "${close}"`);
      const text = this.text.slice(next, end + 2);
      const inner = text
        .slice(2, -2)
        .replace(/^[-+]|[-+]$/g, "")
        .trim();
      yield { kind, at: next, text, inner };
      at = end + 2;
    }
  }

  private expression(token: Token): void {
    const found = this.valueOf(token.inner);
    const mark = `\uE000${this.expressions.length}\uE001`;
    this.expressions.push({ ...this.placeOf(token.at), source: token.inner.replace(/\s+/g, " "), ...found });
    const ends = lineEnds(token.text);
    this.write((found.value ?? mark) + ends, mark + ends);
  }

  private valueOf(inner: string): Pick<Expression, "variable" | "value" | "said"> {
    const own = literalText(inner);
    if (own !== undefined) return { value: own };
    const match = /^([A-Za-z_]\w*)(?:\s*\|\s*(?:default|d)\s*\(([\s\S]*)\))?$/.exec(inner);
    const [, variable, fallback] = match ?? [];
    if (variable === undefined) return {};
    const said = this.values[variable];
    if (said !== undefined) return { variable, value: plainScalar(said), said: true };
    const constant = this.constants[variable];
    if (constant !== undefined) return { value: constant };
    if (fallback === undefined) return { variable };
    // A second argument says whether the default is also for empty values; here there are none.
    const word = fallback.replace(/,\s*(?:boolean\s*=\s*)?[Tt]rue\s*$/, "").trim();
    const value = word === "" ? "" : (literalText(word) ?? this.constants[word]);
    return value === undefined ? { variable } : { variable, value };
  }

  private statement(token: Token): void {
    const [word = ""] = token.inner.split(/[\s(]/, 1);
    const frame = this.frames.at(-1);
    const taken = this.frames.every(({ take }) => take);
    if (word.startsWith("end")) {
      if (frame?.end !== word) throw this.wrong(token.at, `"{% ${word} %}" ends nothing`);
      this.frames.pop();
      if (frame.told) this.tell(frame.token, this.placeOf(token.at).line);
      return;
    }
    if (word === "else" || word === "elif") {
      if (frame === undefined) throw this.wrong(token.at, `"{% ${word} %}" stands alone`);
      const before = frame.truth;
      if (word === "elif" && before === false) frame.truth = this.decide(token.inner.slice("elif".length));
      frame.take = before === false && (word === "else" || frame.truth === true);
      frame.told = frame.outer;
      return;
    }
    const constant = /^set\s+([A-Za-z_]\w*)\s*=\s*([\s\S]+)$/.exec(token.inner);
    const value = constant === null ? undefined : literalText(constant[2] ?? "");
    if (constant?.[1] !== undefined && value !== undefined) {
      if (taken) this.constants[constant[1]] = value;
      return;
    }
    if (bodies.includes(word) || (word === "set" && constant === null)) {
      const truth = word === "if" ? this.decide(token.inner.slice("if".length)) : undefined;
      this.frames.push({
        end: `end${word}`,
        token,
        take: truth === true,
        truth,
        outer: taken,
        told: taken && truth !== true,
      });
      return;
    }
    if (taken) this.tell(token, this.placeOf(token.at).line);
  }

  /** Whether a condition holds, where that needs no program. */
  private decide(condition: string): boolean | undefined {
    const [, name = "", not] = /^\s*([A-Za-z_]\w*)\s+is\s+(not\s+)?defined\s*$/.exec(condition) ?? [];
    if (name === "") return undefined;
    return (Object.hasOwn(this.values, name) || Object.hasOwn(this.constants, name)) !== (not !== undefined);
  }

  private tell({ at, inner }: Token, last_line: number): void {
    this.left_out.push({ ...this.placeOf(at), source: inner.replace(/\s+/g, " "), last_line });
  }

  private write(text: string, marked: string): void {
    this.out += text;
    this.marked += marked;
  }

  private placeOf(offset: number): Place {
    const line = this.starts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (this.starts[line] ?? 0) + 1 };
  }

  private wrong(offset: number, what: string) {
    return configError(
      "import.bad_template",
      `The template is not understood: ${what}`,
      this.path,
      this.placeOf(offset),
    );
  }
}

/** Where `close` stands outside of quotes; -1 when it does not. */
function endOf(text: string, from: number, close: string): number {
  let quote = "";
  for (let i = from; i < text.length; i += 1) {
    const character = text[i] ?? "";
    if (quote !== "") {
      if (character === "\\") i += 1;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "'") quote = character;
    else if (text.startsWith(close, i)) return i;
  }
  return -1;
}

/** A literal of Jinja as it is rendered; undefined when it is more than a literal. */
function literalText(source: string): string | undefined {
  const text = source.trim();
  if (/^-?\d+(\.\d+)?$/.test(text)) return text;
  if (/^(true|false)$/i.test(text)) return text.toLowerCase();
  if (/^none$/i.test(text)) return "null";
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text) ?? /^'((?:[^'\\]|\\.)*)'$/s.exec(text);
  if (quoted === null) return undefined;
  const value = (quoted[1] ?? "").replace(/\\(.)/gs, (_, one: string) => ({ n: "\n", t: "\t", r: "\r" })[one] ?? one);
  // Rendered as it is, which leaves the lines as they are only while it has none of its own.
  return /[\r\n]/.test(value) ? JSON.stringify(value) : value;
}

/** A value that the person said: numbers and truth as such, everything else in quotes, as Globus Compute does it. */
function plainScalar(said: string): string {
  return /^(-?\d+(\.\d+)?|true|false|null)$/.test(said) ? said : JSON.stringify(said);
}

function lineEnds(text: string): string {
  return text.replace(/[^\n]+/g, "");
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
