/**
 * Values that Python sent: the other way round than `values.ts`. What JavaScript has no word for comes as the nearest
 * thing that loses nothing: text, or a `PythonValue` with the tag it came under.
 */
import { TaskExecutionFailed } from "./errors.ts";
import { numpyTypes } from "./values.ts";

/** What JavaScript lacks: a complex, a fraction, a range, a timedelta. `value` is as in docs/PYTHON.md. */
export class PythonValue {
  readonly kind: string;
  readonly value: unknown;

  constructor(kind: string, value: unknown) {
    this.kind = kind;
    this.value = value;
  }
}

/** An array of NumPy: its elements in C order; bytes where JavaScript has no array of that type. */
export class PythonArray {
  readonly dtype: unknown;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;

  constructor(dtype: unknown, shape: readonly number[], data: ArrayBufferView) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }
}

type Tagged = { $gc: string; v: unknown; dtype?: unknown; shape?: number[] };

/** The value of a text that Python wrote. @throws TaskExecutionFailed at a tag that is not known here. */
export function readValue(text: string): unknown {
  return JSON.parse(text, (_, found: unknown) => {
    const is_tagged = typeof found === "object" && found !== null && "$gc" in found;
    return is_tagged ? untag(found as Tagged) : found;
  });
}

function untag(found: Tagged): unknown {
  const { $gc: kind, v } = found;
  switch (kind) {
    case "int": {
      const hex = String(v);
      const value = hex.startsWith("-") ? -BigInt(hex.slice(1)) : BigInt(hex);
      return BigInt.asIntN(53, value) === value ? Number(value) : value;
    }
    case "float":
      return readFloat(String(v));
    case "dict":
    case "ordereddict":
      return new Map(v as [unknown, unknown][]);
    case "tuple":
      return v;
    case "set":
    case "frozenset":
      return new Set(v as unknown[]);
    case "bytes":
    case "bytearray":
      return new Uint8Array(Buffer.from(String(v), "base64"));
    case "datetime":
      // Without an offset it is a time of no known place: text says no more than it does.
      return /(Z|[+-]\d\d:\d\d)$/.test(String(v)) ? new Date(String(v)) : v;
    case "date":
    case "time":
    case "decimal":
    case "uuid":
    case "path":
      return v;
    case "complex":
    case "fraction":
    case "range":
    case "timedelta":
      return new PythonValue(kind, v);
    case "ndarray":
    case "numpy":
      return readNumpy(found);
    default:
      throw new TaskExecutionFailed(`The value has the unknown tag "${kind}": it was written by a newer gc`);
  }
}

function readFloat(text: string): number {
  if (text === "nan") return Number.NaN;
  if (text === "inf") return Number.POSITIVE_INFINITY;
  return text === "-inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

function readNumpy({ v, dtype, shape }: Tagged): unknown {
  const bytes = new Uint8Array(Buffer.from(String(v), "base64"));
  const kind = numpyTypes.find(([, name]) => name === dtype)?.[0];
  // A copy of its own: a Buffer may begin at a place where no number may.
  const data = kind === undefined || dtype === "|u1" ? bytes : new kind(bytes.buffer);
  if (shape !== undefined) return new PythonArray(dtype, shape, data);
  if (dtype === "|b1") return bytes[0] === 1;
  if (kind === undefined) return new PythonArray(dtype, [], data);
  const [first] = data as unknown as ArrayLike<number | bigint> & Iterable<number | bigint>;
  if (typeof first !== "bigint") return first;
  return BigInt.asIntN(53, first) === first ? Number(first) : first;
}
