/** Weak keys, worked out here from the curve's equation and not copied from a list. */
import { describe, expect, test } from "bun:test";
import { verify } from "node:crypto";
import { fromBase64url, privateKey, publicBytesOf, publicKey, toBase64url, weakness } from "../../core/access/keys.ts";
import { seeded } from "./people.ts";

const p = 2n ** 255n - 19n;
const mod = (a: bigint): bigint => ((a % p) + p) % p;
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b);
  return result;
}
const inverse = (a: bigint): bigint => power(a, p - 2n);
const d = mod(-121665n * inverse(121666n));

/** A square root, or undefined (p ≡ 5 mod 8). */
function root(a: bigint): bigint | undefined {
  const candidate = power(a, (p + 3n) / 8n);
  for (const x of [candidate, mod(candidate * power(2n, (p - 1n) / 4n))]) if (mod(x * x - a) === 0n) return x;
  return undefined;
}

type Point = readonly [bigint, bigint];
function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const t = mod(d * x1 * x2 * y1 * y2);
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + t)), mod((y1 * y2 + x1 * x2) * inverse(1n - t))];
}

/** All eight points of small order, by adding a point of order 8 to itself. */
function torsion(): Point[] {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  for (let y = 2n; ; y++) {
    const x = root(mod((y * y - 1n) * inverse(d * y * y + 1n)));
    if (x === undefined) continue;
    let small: Point = [0n, 1n];
    let double: Point = [x, y];
    for (let e = order; e > 0n; e >>= 1n, double = add(double, double)) if (e & 1n) small = add(small, double);
    const all: Point[] = [small];
    while (all.length < 8) all.push(add(all[all.length - 1] ?? small, small));
    if (new Set(all.map(String)).size === 8) return all;
  }
}

function encode(y: bigint, sign: bigint): Buffer {
  const hex = (y + (sign << 255n)).toString(16).padStart(64, "0");
  return Buffer.from(hex, "hex").reverse();
}

describe("weakness()", () => {
  test("refuses all eight small-order points of edwards25519, with either sign", () => {
    const points = torsion();
    expect(points.some(([x, y]) => x === 0n && y === 1n)).toBe(true);
    for (const [x, y] of points) {
      expect(weakness("Ed25519", encode(y, x & 1n))).toBe("of small order");
      expect(weakness("Ed25519", encode(y, 1n - (x & 1n)))).toBe("of small order");
    }
  });

  test("refuses the matching points of curve25519", () => {
    for (const [, y] of torsion()) {
      if (y === 1n) continue;
      const u = mod((1n + y) * inverse(1n - y)); // The birational map of RFC 7748 §4.1.
      expect(weakness("X25519", encode(u, 0n))).toBe("of small order");
    }
  });

  test("refuses every spelling of a coordinate but the reduced one", () => {
    for (let extra = 0n; extra < 19n; extra++) {
      expect(weakness("Ed25519", encode(p + extra, 0n))).toBe("not canonical");
      expect(weakness("Ed25519", encode(p + extra, 1n))).toBe("not canonical");
      expect(weakness("X25519", encode(p + extra, 0n))).toBe("not canonical");
    }
    expect(weakness("X25519", encode(9n, 1n))).toBe("not canonical");
    expect(weakness("Ed25519", encode(p - 2n, 0n))).toBeUndefined();
  });

  test("has nothing against keys that were really made", () => {
    const random = seeded("keys");
    for (let i = 0; i < 100; i++) {
      for (const curve of ["Ed25519", "X25519"] as const) {
        expect(weakness(curve, publicBytesOf(privateKey(curve, random.bytes(32))))).toBeUndefined();
      }
    }
  });

  test("is needed: the platform lets the identity point sign anything", () => {
    const identity = encode(1n, 0n);
    const forged = Buffer.concat([identity, Buffer.alloc(32)]);
    expect(verify(null, Buffer.from("anything"), publicKey("Ed25519", identity), forged)).toBe(true);
  });
});

describe("the platform's Ed25519", () => {
  test("makes the signature of RFC 8032 §7.1, test 2", () => {
    const secret = Buffer.from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "hex");
    const key = privateKey("Ed25519", secret);
    const publicHex = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    expect(publicBytesOf(key).toString("hex")).toBe(publicHex);
    const signature =
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    expect(verify(null, Buffer.from("72", "hex"), key, Buffer.from(signature, "hex"))).toBe(true);
  });
});

describe("fromBase64url()", () => {
  test("reads what toBase64url() wrote, and no other spelling", () => {
    const bytes = seeded("text").bytes(32);
    const text = toBase64url(bytes);
    expect(fromBase64url(text, 32)).toEqual(Buffer.from(bytes));
    for (const bent of [`${text}=`, text.slice(1), `${text}A`, ` ${text}`, text.replace(/.$/, "~"), ""]) {
      expect(fromBase64url(bent, 32)).toBeUndefined();
    }
  });
});
