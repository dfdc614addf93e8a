/**
 * Values on their way to Python, as JSON in which what JSON lacks is tagged (docs/PYTHON.md has the tags; values that
 * come back are read by `read_values.ts`). What cannot travel is refused by name before anything is sent.
 */
import { SerializationError } from "./errors.ts";

/** A number that is a float in Python even when it is whole: `pyFloat(2)` arrives as 2.0. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A list that is a tuple in Python. */
export class PythonTuple {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Keyword arguments of a call: the last argument of `submit`. */
export class Kwargs {
  readonly values: { readonly [name: string]: unknown };

  constructor(values: { readonly [name: string]: unknown }) {
    this.values = values;
  }
}

/** Makes a float of a whole number: 2 is an int in Python, `pyFloat(2)` is 2.0. */
export function pyFloat(value: number): PythonFloat {
  return new PythonFloat(value);
}

/** Makes a tuple, where a list will not do. */
export function tuple(...items: unknown[]): PythonTuple {
  return new PythonTuple(items);
}

/** Marks keyword arguments: `submit(scaled, 3, kwargs({ by: 2 }))`. */
export function kwargs(values: { readonly [name: string]: unknown }): Kwargs {
  return new Kwargs(values);
}

/** The arguments of a call as text. @throws SerializationError naming the type that cannot travel. */
export function argumentsText(args: readonly unknown[], named: { readonly [name: string]: unknown }): string {
  const given: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(named)) if (value !== undefined) given[name] = encode(value);
  try {
    return JSON.stringify({ args: args.map(encode), kwargs: given });
  } catch (error) {
    if (error instanceof RangeError) throw refused("is nested too deeply, or contains itself");
    throw error;
  }
}

/** NumPy's names of the element types of typed arrays, least byte first. */
export const numpyTypes: readonly (readonly [new (buffer: ArrayBuffer) => ArrayBufferView, string])[] = [
  [Int8Array, "|i1"],
  [Uint8ClampedArray, "|u1"],
  [Int16Array, "<i2"],
  [Uint16Array, "<u2"],
  [Int32Array, "<i4"],
  [Uint32Array, "<u4"],
  [BigInt64Array, "<i8"],
  [BigUint64Array, "<u8"],
  [Float32Array, "<f4"],
  [Float64Array, "<f8"],
];

function encode(value: unknown): unknown {
  switch (typeof value) {
    case "undefined":
      return null;
    case "string":
    case "boolean":
      return value;
    case "number":
      return encodeNumber(value);
    case "bigint":
      return encodeBigint(value);
    case "object":
      return value === null ? null : encodeObject(value);
    default:
      throw refused(`is, or holds, a ${typeof value}, which Python cannot be given`);
  }
}

function encodeNumber(value: number): unknown {
  if (Number.isNaN(value)) return tag("float", "nan");
  if (!Number.isFinite(value)) return tag("float", value > 0 ? "inf" : "-inf");
  if (Object.is(value, -0)) return tag("float", "-0.0");
  // Written as JSON it would look like a whole number, and be one in Python.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return tag("float", String(value));
  return value;
}

function encodeBigint(value: bigint): unknown {
  if (BigInt.asIntN(53, value) === value) return Number(value);
  return tag("int", `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}`);
}

function encodeObject(value: object): unknown {
  if (Array.isArray(value)) return value.map(encode);
  if (value instanceof PythonTuple) return tag("tuple", value.items.map(encode));
  if (value instanceof PythonFloat) return tag("float", floatText(value.value));
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refused("is, or holds, an invalid Date");
    return tag("datetime", value.toISOString());
  }
  if (value instanceof Uint8Array) return tag("bytes", Buffer.from(value).toString("base64"));
  if (value instanceof ArrayBuffer) return tag("bytes", Buffer.from(value).toString("base64"));
  if (value instanceof Map) {
    return tag(
      "dict",
      [...value].map(([key, item]) => [encode(key), encode(item)]),
    );
  }
  if (value instanceof Set) return tag("set", [...value].map(encode));
  const known = numpyTypes.find(([kind]) => value instanceof kind);
  if (known !== undefined) {
    const { buffer, byteOffset, byteLength } = value as Float64Array;
    const body = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
    return { ...tag("ndarray", body), dtype: known[1], shape: [(value as Float64Array).length] };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    throw refused(`is, or holds, an object of the class ${value.constructor?.name}; send a plain object`);
  }
  if (prototype !== null && value.constructor !== Object && value.constructor?.name !== "Object") {
    throw refused(`is, or holds, an object of the class ${value.constructor?.name}; send a plain object`);
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if ("$gc" in value) {
    return tag(
      "dict",
      entries.map(([key, item]) => [key, encode(item)]),
    );
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, encode(item)]));
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0.0" : String(value);
}

function tag(name: string, value: unknown): { $gc: string; v: unknown } {
  return { $gc: name, v: value };
}

function refused(what: string): SerializationError {
  return new SerializationError(`An argument ${what}`);
}
