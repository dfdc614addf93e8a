/** Contexts name relays; known endpoints give names to ids. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { makeIdentity } from "../../core/access/principal.ts";
import { currentContext, readContexts, saveContext, useContext } from "../../core/config/context.ts";
import { findKnown, readKnown, rememberEndpoints } from "../../core/config/known.ts";
import { realRandom } from "../../core/host/random.ts";
import { codeOf, freshHome, removeDirs } from "./fresh_home.ts";

afterEach(removeDirs);

const lab = { kind: "url", url: "wss://gc.lab.edu:8443" } as const;

describe("currentContext()", () => {
  test("is this machine's own relay when nothing was ever said", () => {
    const home = freshHome();
    expect(currentContext(home, {}, undefined)).toEqual({
      name: "local",
      address: { kind: "unix", path: home.socket("relay") },
    });
  });

  test("is what the flag says, else the environment, else what was chosen", () => {
    const home = freshHome();
    saveContext(home, "lab", lab, true);
    saveContext(home, "other", lab, false);
    expect(currentContext(home, {}, undefined).name).toBe("lab");
    expect(currentContext(home, { GC_CONTEXT: "other" }, undefined).name).toBe("other");
    expect(currentContext(home, { GC_CONTEXT: "other" }, "local").name).toBe("local");
    useContext(home, "local");
    expect(currentContext(home, {}, undefined).name).toBe("local");
    expect(Object.keys(readContexts(home).contexts).sort()).toEqual(["lab", "local", "other"]);
  });

  test("refuses an unknown one and says which was probably meant", () => {
    const home = freshHome();
    saveContext(home, "lab", lab, false);
    expect(codeOf(() => currentContext(home, {}, "lba"))).toBe("context.unknown");
    expect(() => currentContext(home, {}, "lba")).toThrow('did you mean "lab"?');
    expect(codeOf(() => currentContext(home, {}, "__proto__"))).toBe("context.unknown");
  });

  test("refuses to give this machine's name to another relay, and names that are none", () => {
    const home = freshHome();
    expect(codeOf(() => saveContext(home, "local", lab, false))).toBe("context.reserved");
    expect(codeOf(() => saveContext(home, "../x", lab, false))).toBe("name.malformed");
  });
});

describe("known endpoints", () => {
  const record = () => makeIdentity("endpoint", realRandom()).record;

  test("are found by name, by id and by the beginning of the id, at their own relay only", () => {
    const home = freshHome();
    const known = record();
    rememberEndpoints(home, "lab", [{ name: "cluster", record: known }]);
    for (const said of ["cluster", known.id, known.id.slice(0, 8), known.id.slice(0, 8).toUpperCase()]) {
      expect(findKnown(home, "lab", said)?.record.id).toBe(known.id);
    }
    expect(findKnown(home, "local", "cluster")).toBeUndefined();
    expect(findKnown(home, "lab", "clust")).toBeUndefined();
    expect(findKnown(home, "lab", "")).toBeUndefined();
  });

  test("are replaced by a newer record of the same id, and never doubled", () => {
    const home = freshHome();
    const known = record();
    rememberEndpoints(home, "lab", [{ name: "old", record: known }]);
    rememberEndpoints(home, "lab", [{ name: "new", record: known }]);
    expect(readKnown(home).map((entry) => entry.name)).toEqual(["new"]);
  });

  test("of one name are told apart only by id", () => {
    const home = freshHome();
    rememberEndpoints(home, "lab", [
      { name: "cluster", record: record() },
      { name: "cluster", record: record() },
    ]);
    expect(codeOf(() => findKnown(home, "lab", "cluster"))).toBe("endpoint.ambiguous");
  });

  test("count as none when the file is damaged; a forged key is never taken", () => {
    const home = freshHome();
    mkdirSync(home.root, { recursive: true, mode: 0o700 });
    writeFileSync(home.known, "{");
    expect(readKnown(home)).toEqual([]);
    const forged = { ...record(), sign_pub: record().sign_pub };
    writeFileSync(home.known, JSON.stringify({ v: 1, endpoints: [{ name: "x", context: "lab", record: forged }] }));
    expect(codeOf(() => findKnown(home, "lab", "x"))).toStartWith("key.");
  });
});
