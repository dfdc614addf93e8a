/**
 * Commands with places to fill in, as Python's `str.format` reads them: {name}, {name:05d}, {{ and }}. What is not
 * supported is refused, never left in the command.
 */
import { ComputeError } from "./errors.ts";

/** What can stand in a place. */
export type FormatValue = string | number | bigint | boolean;
export type FormatValues = { readonly [name: string]: FormatValue };

const specForm = /^(?:(.)?([<>^=]))?([+\- ])?(0)?(\d+)?(,)?(?:\.(\d+))?([sdfFeExXob%])?$/su;

/** The command with its places filled in. @throws ComputeError `format.…` naming the place. */
export function formatCommand(command: string, values: FormatValues): string {
  return command.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (found, inner: string | undefined) => {
    if (found === "{{" || found === "}}") return found.charAt(0);
    if (inner === undefined)
      throw wrongFormat(`There is a lone "${found}" in the command; "${found}${found}" writes one`);
    return fill(inner, values);
  });
}

function fill(inner: string, values: FormatValues): string {
  const [, name = "", spec = ""] = /^([^:]*):?([\s\S]*)$/.exec(inner) ?? [];
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) {
    throw wrongFormat(`The place {${inner}} has no plain name; a "{" for the shell is written "{{"`);
  }
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined || value === null) {
    const given = Object.keys(values).join(", ") || "nothing";
    throw wrongFormat(`The command wants {${name}}, which has no value; given: ${given}`);
  }
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) {
    throw wrongFormat(`{${name}} must be text, a number or a boolean, not ${typeof value}`);
  }
  return spec === "" ? String(value) : formatted(value, spec, name);
}

function formatted(value: FormatValue, spec: string, name: string): string {
  const match = specForm.exec(spec);
  const is_number = typeof value === "number" || typeof value === "bigint";
  if (match === null) throw wrongFormat(`{${name}:${spec}} has a format that is not supported`);
  const [, fillChar, align, sign = "-", zero, width = "0", comma, precision, type] = match;
  if (!is_number) {
    if ((type ?? "s") !== "s" || sign !== "-" || comma !== undefined || align === "=" || zero !== undefined) {
      throw wrongFormat(`{${name}:${spec}} is a format for numbers, and the value is ${JSON.stringify(value)}`);
    }
    const text = String(value);
    const cut = precision === undefined ? text : [...text].slice(0, Number(precision)).join("");
    return padded("", cut, fillChar ?? " ", align ?? "<", Number(width));
  }
  const is_minus = value < 0 || Object.is(value, -0);
  const body = digits(value, type, precision, comma !== undefined);
  if (body === undefined) throw wrongFormat(`{${name}:${spec}} does not fit the number ${value}`);
  const head = is_minus ? "-" : sign === "-" ? "" : sign;
  const [char, side] = zero !== undefined && align === undefined ? ["0", "="] : [fillChar ?? " ", align ?? ">"];
  return padded(head, body, char ?? " ", side ?? ">", Number(width));
}

/** A number without its sign; undefined where the type does not fit. */
function digits(value: number | bigint, type: string | undefined, precision: string | undefined, comma: boolean) {
  const size = typeof value === "bigint" ? (value < 0n ? -value : value) : Math.abs(value);
  const places = Number(precision ?? 6);
  const is_whole = typeof size === "bigint" || Number.isInteger(size);
  const grouped = (text: string) => (comma ? text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",") : text);
  switch (type) {
    case undefined:
      return precision === undefined ? grouped(String(size)) : undefined;
    case "d":
      return is_whole && precision === undefined ? grouped(BigInt(size).toString()) : undefined;
    case "x":
    case "X":
    case "o":
    case "b": {
      if (!is_whole || precision !== undefined || comma) return undefined;
      const text = BigInt(size).toString(type === "o" ? 8 : type === "b" ? 2 : 16);
      return type === "X" ? text.toUpperCase() : text;
    }
    case "f":
    case "F":
      return places <= 100 ? grouped(Number(size).toFixed(places)) : undefined;
    case "%":
      return places <= 100 ? `${grouped((Number(size) * 100).toFixed(places))}%` : undefined;
    case "e":
    case "E": {
      if (places > 100 || comma) return undefined;
      // Python writes two digits of an exponent at least.
      const text = Number(size)
        .toExponential(places)
        .replace(/e([+-])(\d)$/, "e$10$2");
      return type === "E" ? text.toUpperCase() : text;
    }
    default:
      return undefined;
  }
}

function padded(head: string, body: string, char: string, align: string, width: number): string {
  const missing = Math.max(0, width - [...head, ...body].length);
  const text = head + body;
  if (align === "<") return text + char.repeat(missing);
  if (align === "=") return head + char.repeat(missing) + body;
  if (align === "^") return char.repeat(missing >> 1) + text + char.repeat(missing - (missing >> 1));
  return char.repeat(missing) + text;
}

function wrongFormat(message: string): ComputeError {
  return new ComputeError(message, "format.invalid");
}
