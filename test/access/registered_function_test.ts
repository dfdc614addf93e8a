/** A registered function is what its hash and its owner's signature say, or it is refused. */
import { describe, expect, test } from "bun:test";
import { hash } from "node:crypto";
import {
  functionDigest,
  functionId,
  isNamed,
  openFunction,
  signFunction,
} from "../../core/access/registered_function.ts";
import type { FunctionFile } from "../../core/schema/function.ts";
import { codeOf, principal } from "./people.ts";

const ada = principal("user", "ada");
const eve = principal("user", "eve");
const body = { kind: "source", source: 'def f():\n    return "é\\n"\n', entry: "f" } as const;
const made = signFunction(ada, { name: "f", created_ms: 5, body });
const verdict = (file: unknown): Promise<string> => codeOf(() => openFunction(file, "function"));

describe("functionDigest()", () => {
  test("is the SHA-256 of JSON without blanks and with sorted keys, whatever the order was", () => {
    const text = `{"entry":"f","kind":"source","source":${JSON.stringify(body.source)}}`;
    expect(functionDigest(body)).toBe(hash("sha256", text, "hex"));
    expect(functionDigest({ entry: "f", source: body.source, kind: "source" })).toBe(functionDigest(body));
    expect(functionDigest({ ...body, entry: "g" })).not.toBe(functionDigest(body));
  });

  test("is the same whether a default is written or not", () => {
    const pickle = { kind: "pickle", base64: "gAR9lC4=", version: "3.12.1" } as const;
    expect(functionDigest({ ...pickle, serializer: "pickle" })).toBe(functionDigest(pickle));
    expect(functionDigest({ ...pickle, serializer: "dill" })).not.toBe(functionDigest(pickle));
  });

  test("gives the id, a UUID that the hash alone decides", () => {
    const sha256 = functionDigest(body);
    expect(functionId(sha256)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    for (const named of [sha256, `sha256:${sha256}`, functionId(sha256)]) expect(isNamed(named, sha256)).toBe(true);
    for (const named of [sha256.slice(1), functionId(`0${sha256.slice(1)}`), ""]) {
      expect(isNamed(named, sha256)).toBe(sha256.startsWith("0") && named.length === 36);
    }
  });
});

describe("openFunction()", () => {
  test("gives back what was signed", () => {
    const { id, sha256, statement } = openFunction(JSON.parse(JSON.stringify(made)), "function");
    expect({ id, sha256 }).toEqual({ id: made.id, sha256: functionDigest(body) });
    expect(statement).toEqual({ v: 1, name: "f", created_ms: 5, body, owner: ada.id });
  });

  const forged: [string, FunctionFile][] = [
    ["a changed body", { ...made, statement: made.statement.replace("return", "assert") }],
    ["another owner's key", { ...made, owner: eve.record }],
    ["a signature of nothing", { ...made, sig: "A".repeat(86) }],
  ];
  test.each(forged)("refuses %s", async (_, file) => {
    expect(await verdict(file)).toBe("function.bad_signature");
  });

  test("refuses a body, well signed, under the id or hash of another", async () => {
    const other = signFunction(eve, { name: "f", created_ms: 5, body: { ...body, source: "def f(): return 2\n" } });
    expect(await verdict(other)).toBe("");
    expect(await verdict({ ...other, id: made.id })).toBe("function.changed");
    expect(await verdict({ ...other, sha256: made.sha256 })).toBe("function.changed");
    expect(await verdict({ ...other, id: made.id, sha256: made.sha256 })).toBe("function.changed");
  });

  test("refuses one that names somebody else as its owner", async () => {
    const statement = made.statement.replace(ada.id, eve.id);
    const sig = Buffer.from(ada.sign(Buffer.from(`gc-function-v1\0${statement}`))).toString("base64url");
    expect(await verdict({ ...made, statement, sig })).toBe("function.changed");
  });
});
