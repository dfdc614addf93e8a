/** gc doctor names what is amiss with a next step, and never breaks on what it finds. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Check } from "../../cmd/doctor/check.ts";
import { gcArgv, Place } from "./command_line.ts";
import { SmallRelay } from "./small_relay.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

async function doctor(
  options: { env?: { [name: string]: string } } = {},
): Promise<{ code: number; ok: boolean; checks: Map<string, Check> }> {
  const ran = await place.gc(["doctor", "--json"], options);
  const { schema, ok, checks } = JSON.parse(ran.stdout) as { schema: string; ok: boolean; checks: Check[] };
  expect(schema).toBe("gc/doctor/v1");
  return { code: ran.code, ok, checks: new Map(checks.map((check) => [check.name, check])) };
}

describe("gc doctor", () => {
  test("is content with a fresh home folder, and gives every line a name and a sentence", async () => {
    const { code, ok, checks } = await doctor();
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    for (const name of [
      "home folder",
      "disk space",
      "durable write",
      "clock",
      "process table",
      "process limit",
      "terminal",
      "relay",
    ]) {
      expect(checks.has(name)).toBe(true);
    }
    for (const check of checks.values()) {
      expect(check.message).not.toBe("");
      if (check.status === "fail" || check.status === "warn") expect(check.next).toBeDefined();
    }
  });

  test("fails, with 1 and the cure, when others may write to the home folder", async () => {
    mkdirSync(place.home);
    chmodSync(place.home, 0o777);
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(checks.get("home folder")).toMatchObject({ status: "fail", next: `chmod go-w ${place.home}` });
  });

  test("finds keys that others may read, a broken configuration, and a context that is gone", async () => {
    await place.gc(["endpoint", "configure", "lab"]);
    writeFileSync(join(place.home, "endpoints/lab/config.yaml"), "engnie: {}\n");
    chmodSync(join(place.home, "identity.json"), 0o644);
    writeFileSync(join(place.home, "contexts.json"), JSON.stringify({ v: 1, current: "gone", contexts: {} }));
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(checks.get("identity")).toMatchObject({ status: "fail", next: expect.stringContaining("chmod 600") });
    expect(checks.get("endpoint lab")).toMatchObject({
      status: "fail",
      message: expect.stringContaining('did you mean "engine"?'),
    });
    expect(checks.get("contexts")).toMatchObject({ status: "fail", next: "gc context use local" });
    expect(checks.get("relay")).toMatchObject({ status: "fail" });
  });

  test("proves the relay, and says so when it is away", async () => {
    const relay = await SmallRelay.start();
    await place.gc(["login", "-"], { stdin: relay.invite("user") });
    expect((await doctor()).checks.get("relay")).toMatchObject({ status: "ok" });
    await relay.stop();
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(checks.get("relay")).toMatchObject({ status: "fail" });
  });

  test("shows a proxy without its password", async () => {
    const lab = { kind: "url", url: "ws://gc.lab.invalid" };
    mkdirSync(place.home, { mode: 0o700 });
    writeFileSync(join(place.home, "contexts.json"), JSON.stringify({ v: 1, current: "lab", contexts: { lab } }));
    const { checks } = await doctor({ env: { HTTP_PROXY: "http://ann:secret@proxy.invalid:3128" } });
    expect(checks.get("proxy")?.message).toContain("http://***@proxy.invalid:3128");
    expect(JSON.stringify([...checks.values()])).not.toContain("secret");
  });

  test("warns of limits that would hurt a long-running endpoint", async () => {
    const limited = ["sh", "-c", 'ulimit -n 256; ulimit -t 3600; exec "$@"', "sh", ...gcArgv, "doctor", "--json"];
    const { checks } = JSON.parse((await place.run(limited)).stdout) as { checks: Check[] };
    for (const name of ["file limit", "CPU time limit"]) {
      expect(checks.find((check) => check.name === name)).toMatchObject({
        status: "warn",
        next: expect.stringContaining("ulimit"),
      });
    }
  });

  test("prints only what is amiss when quiet", async () => {
    const quiet = await place.gc(["doctor", "--quiet"]);
    expect(quiet.stdout).not.toContain("ok  ");
  });
});
