/** Keys are made once, stay private, and are refused when they are not. */
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configureEndpoint } from "../../core/config/configure.ts";
import { loadEndpointKey, loadIdentity, readIdentity } from "../../core/config/identity.ts";
import { realRandom } from "../../core/host/random.ts";
import { codeOf, freshHome, removeDirs } from "./fresh_home.ts";

const host = { random: realRandom() };
afterEach(removeDirs);

describe("loadIdentity()", () => {
  test("makes a user at first use, in a file of our own, and gives the same one ever after", () => {
    const home = freshHome();
    expect(readIdentity(home)).toBeUndefined();
    const made = loadIdentity(home, host);
    expect(made.record.kind).toBe("user");
    expect(loadIdentity(home, host).id).toBe(made.id);
    expect(statSync(home.identity).mode & 0o777).toBe(0o600);
    expect(statSync(home.root).mode & 0o777).toBe(0o700);
    expect(readdirSync(home.root)).toEqual(["identity.json"]);
  });

  test("gives the same user to processes that all come first", async () => {
    const home = freshHome();
    const script = `
      const { loadIdentity } = await import("${join(import.meta.dir, "../../core/config/identity.ts")}");
      const { openHome } = await import("${join(import.meta.dir, "../../core/config/home.ts")}");
      const { realRandom } = await import("${join(import.meta.dir, "../../core/host/random.ts")}");
      console.log(loadIdentity(openHome({ GC_HOME: ${JSON.stringify(home.root)} }), { random: realRandom() }).id);`;
    const children = Array.from({ length: 6 }, () => Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" }));
    const ids = await Promise.all(children.map((child) => new Response(child.stdout).text()));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]?.trim()).toBe(loadIdentity(home, host).id);
  });

  test("refuses keys that others may read, and a file that is damaged", () => {
    const home = freshHome();
    loadIdentity(home, host);
    chmodSync(home.identity, 0o644);
    expect(codeOf(() => loadIdentity(home, host))).toBe("key.exposed");
    chmodSync(home.identity, 0o600);
    writeFileSync(home.identity, "{");
    expect(codeOf(() => loadIdentity(home, host))).toBe("file.not_json");
    writeFileSync(home.identity, "{}");
    expect(codeOf(() => loadIdentity(home, host))).toBe("data.invalid");
  });
});

describe("configureEndpoint()", () => {
  const config = { engine: { type: "local" as const } };

  test("writes keys of the endpoint and whose it is", () => {
    const home = freshHome();
    const made = configureEndpoint(home, host, { name: "lab", config, force: false });
    const key = loadEndpointKey(made.paths.key);
    expect(key.identity.id as string).toBe(made.id);
    expect(key.owner.id as string).toBe(loadIdentity(home, host).id);
    expect(statSync(made.paths.key).mode & 0o777).toBe(0o600);
  });

  test("refuses a second time, and with force keeps the id", () => {
    const home = freshHome();
    const made = configureEndpoint(home, host, { name: "lab", config, force: false });
    expect(codeOf(() => configureEndpoint(home, host, { name: "lab", config, force: false }))).toBe("endpoint.exists");
    const again = configureEndpoint(home, host, { name: "lab", config, force: true });
    expect(again).toMatchObject({ id: made.id, replaced: true });
  });

  test("finishes what an interruption left half done", () => {
    const home = freshHome();
    const made = configureEndpoint(home, host, { name: "lab", config, force: false });
    rmSync(made.paths.config);
    expect(configureEndpoint(home, host, { name: "lab", config, force: false })).toMatchObject({
      id: made.id,
      replaced: false,
    });
  });

  test("writes nothing when what was asked for is wrong", () => {
    const home = freshHome();
    const wrong = { engine: { type: "local" as const, slots: 1, workers: 2 } };
    expect(codeOf(() => configureEndpoint(home, host, { name: "lab", config: wrong, force: false }))).toBe(
      "config.bad_value",
    );
    expect(() => statSync(home.endpointDir("lab"))).toThrow();
  });
});
