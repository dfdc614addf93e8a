/** Joining a relay by an invite: what is pinned, what is refused, and that an invite can be tried again after a
 * failure. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../../core/access/certificate.ts";
import { makeIdentity } from "../../core/access/principal.ts";
import { realRandom } from "../../core/host/random.ts";
import { Place } from "./command_line.ts";
import { SmallRelay } from "./small_relay.ts";

let relay: SmallRelay;
let place: Place;
beforeAll(async () => {
  relay = await SmallRelay.start();
});
afterAll(() => relay.stop());
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const contexts = () => JSON.parse(readFileSync(join(place.home, "contexts.json"), "utf8"));

describe("gc login", () => {
  test("reads the invite from standard input, pins key and certificate, and makes the relay current", async () => {
    const ran = await place.gc(["login", "-", "--name", "lab", "--json"], { stdin: `${relay.invite("user")}\n` });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    const answer = JSON.parse(ran.stdout);
    expect(answer).toMatchObject({ schema: "gc/login/v1", context: "lab", relay_id: relay.identity.id });
    expect(relay.enrolled).toContain(answer.user_id);
    expect(contexts()).toMatchObject({
      current: "lab",
      contexts: { lab: { relay_id: relay.identity.id, ca_pem: relay.shown } },
    });
    const whoami = await place.gc(["whoami", "--json"]);
    expect(JSON.parse(whoami.stdout)).toMatchObject({ id: answer.user_id, context: "lab", relay: relay.url });
  });

  test("takes an invite with no dash when standard input is not a terminal, and from GC_JOIN_TOKEN", async () => {
    expect((await place.gc(["login"], { stdin: relay.invite("user") })).code).toBe(0);
    expect((await place.gc(["login"], { env: { GC_JOIN_TOKEN: relay.invite("user") } })).code).toBe(0);
    // The same relay again is the same context.
    expect(Object.keys(contexts().contexts)).toHaveLength(1);
  });

  test("warns of an invite in the command line, which every user of the machine can read", async () => {
    const ran = await place.gc(["login", relay.invite("user")]);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain("warning:");
  });

  test("refuses a relay that shows another certificate, before anything secret is sent", async () => {
    const other = (await makeCertificate(Date.now(), realRandom())).cert_pem;
    const own = relay.shown;
    relay.shown = other;
    const ran = await place.gc(["login", "-"], { stdin: relay.invite("user") });
    relay.shown = own;
    expect(ran.code).toBe(77);
    expect(ran.stderr).toContain("another certificate");
    expect(() => statSync(join(place.home, "contexts.json"))).toThrow();
  });

  test("refuses a relay with another key than the invite names", async () => {
    const relay_id = makeIdentity("relay", realRandom()).record.id;
    const before = relay.enrolled.length;
    const ran = await place.gc(["login", "-", "--json"], { stdin: relay.invite("user", { relay_id }) });
    expect(ran.code).not.toBe(0);
    expect(relay.enrolled).toHaveLength(before);
    expect(() => statSync(join(place.home, "contexts.json"))).toThrow();
  });

  test("refuses a used invite with the relay's own words", async () => {
    const invite = relay.invite("user");
    expect((await place.gc(["login", "-"], { stdin: invite })).code).toBe(0);
    const other = new Place();
    const ran = await other.gc(["login", "-"], { stdin: invite });
    other.remove();
    expect(ran.code).toBe(77);
    expect(ran.stderr).toContain("used already");
  });

  test.each([
    ["nothing", "", 64],
    ["something else", "hello\n", 65],
    ["half an invite", "gcj1.eyJ1cmwiOiJ3c3M6\n", 65],
  ])("refuses %s and does not repeat it", async (_, stdin, code) => {
    const ran = await place.gc(["login", "-"], { stdin });
    expect(ran.code).toBe(code);
    if (stdin !== "") expect(ran.stderr).not.toContain(stdin.trim());
  });

  test("says who is meant when the invite is for an endpoint", async () => {
    const ran = await place.gc(["login", "-"], { stdin: relay.invite("endpoint") });
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("gc endpoint join");
  });
});

describe("gc endpoint join", () => {
  test("configures a new endpoint, enrols it and names the relay in its configuration", async () => {
    const user = makeIdentity("user", realRandom()).record.id;
    const argv = [
      "endpoint",
      "join",
      "-",
      "--name",
      "cluster",
      "--allow-user",
      user,
      "--context-name",
      "lab",
      "--json",
    ];
    const ran = await place.gc(argv, { stdin: relay.invite("endpoint") });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    const answer = JSON.parse(ran.stdout);
    expect(answer).toMatchObject({
      schema: "gc/endpoint_joined/v1",
      name: "cluster",
      configured: true,
      context: "lab",
    });
    expect(relay.enrolled).toContain(answer.id);
    const shown = JSON.parse((await place.gc(["endpoint", "show", "cluster", "--json"])).stdout);
    expect(shown).toMatchObject({ id: answer.id, config: { relay: "lab", allow: { users: [user] } } });
    // The endpoint's relay is not made the one that this person's commands talk to.
    expect(contexts().current).toBe("local");
  });

  test("keeps configuration, comments and id of an endpoint that is there", async () => {
    const configured = JSON.parse((await place.gc(["endpoint", "configure", "lab", "--slots", "3", "--json"])).stdout);
    const before = readFileSync(configured.config_path, "utf8");
    const ran = await place.gc(["endpoint", "join", "-", "--name", "lab", "--context-name", "far"], {
      stdin: relay.invite("endpoint"),
    });
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain(configured.id);
    expect(readFileSync(configured.config_path, "utf8")).toBe(before.replace("relay: local", "relay: far"));
  });

  test("is finished by a second try with a good invite", async () => {
    const argv = ["endpoint", "join", "-", "--name", "lab", "--context-name", "far"];
    const relay_id = makeIdentity("relay", realRandom()).record.id;
    const first = await place.gc(argv, { stdin: relay.invite("endpoint", { relay_id }) });
    expect(first.code).not.toBe(0);
    const before = JSON.parse((await place.gc(["endpoint", "show", "lab", "--json"])).stdout);
    expect(before.config.relay).toBe("local");
    expect((await place.gc(argv, { stdin: relay.invite("endpoint") })).code).toBe(0);
    const after = JSON.parse((await place.gc(["endpoint", "show", "lab", "--json"])).stdout);
    expect(after).toMatchObject({ id: before.id, config: { relay: "far" } });
  });

  test("says who is meant when the invite is for a person", async () => {
    const ran = await place.gc(["endpoint", "join", "-", "--name", "lab"], { stdin: relay.invite("user") });
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("gc login");
  });
});
