/** From one machine to another: relay, endpoint and user in two network namespaces, over TLS, joined by invites. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Cable, namespacesMissing } from "./namespaces.ts";
import { until } from "./until.ts";
import { World } from "./world.ts";

const missing = namespacesMissing();
if (missing !== undefined) console.log(`SKIPPED: two network namespaces (${missing})`);

const port = 7443;

describe.skipIf(missing !== undefined)("two machines", () => {
  let cable: Cable;
  let relay: World;
  let cluster: World;
  let user: World;

  /** A home at the right end, where the relay is far away. */
  const remote = (home: string): World => {
    const world = relay.neighbour(home);
    world.prefix = cable.right.prefix;
    return world;
  };
  const invite = (...words: string[]): Promise<string> => relay.gc(["relay", "invite", ...words]);
  const joining = ["endpoint", "join", "-", "--yes", "--name", "my-endpoint"];

  beforeAll(async () => {
    cable = new Cable();
    relay = await World.open();
    relay.prefix = cable.left.prefix;
    cluster = remote("cluster");
    user = remote("user");
    await relay.gc(["relay", "up", "--listen", `${cable.left.address}:${port}`, "--detach"]);
  }, 60_000);

  afterAll(async () => {
    await relay?.close();
    cable?.remove();
  }, 20_000);

  test("a command runs on the other machine, its output comes back", async () => {
    await user.gc(["login", "-"], { stdin: await invite() });
    const { id } = JSON.parse(await user.gc(["whoami", "--json"])) as { id: string };
    await cluster.gc([...joining, "--allow-user", id], { stdin: await invite("--role", "endpoint") });
    await cluster.gc(["endpoint", "start", "--detach", "my-endpoint"]);
    const hostname = Bun.spawnSync(["hostname"]).stdout.toString();
    expect(await user.gc(["run", "--endpoint", "my-endpoint", "--", "hostname"])).toBe(hostname);
    const addresses = await user.gc(["run", "--endpoint", "my-endpoint", "--", "ip", "-o", "-4", "address"]);
    expect(addresses).toContain(cable.right.address);
    const { code } = await user.run(["run", "--endpoint", "my-endpoint", "--shell", "--", "exit 7"]);
    expect(code).toBe(7);
  }, 60_000);

  test("an endpoint runs nothing for a user whom it does not know", async () => {
    const stranger = remote("stranger");
    await stranger.gc(["login", "-"], { stdin: await invite() });
    const { id } = JSON.parse(await cluster.gc(["endpoint", "show", "my-endpoint", "--json"])) as { id: string };
    for (const name of ["my-endpoint", id]) {
      const { code, stdout, stderr } = await stranger.run(["run", "--endpoint", name, "--", "hostname"]);
      expect(stdout).toBe("");
      expect(code).toBe(125);
      expect(stderr).toContain(name);
    }
  }, 30_000);

  test("an invite is good once", async () => {
    const text = await invite();
    await remote("first").gc(["login", "-"], { stdin: text });
    const second = await remote("second").run(["login", "-"], { stdin: text });
    expect(second.code).toBe(77);
    expect(second.stderr).toMatch(/invite.*used/i);
    const role = await remote("third").run(["login", "-"], { stdin: await invite("--role", "endpoint") });
    expect(role.code).toBe(64);
    expect(role.stderr).toMatch(/gc endpoint join/);
  }, 30_000);

  test("an invite is good for its time", async () => {
    const text = await invite("--ttl", "1s");
    const made_ms = performance.now();
    await until(() => performance.now() > made_ms + 1050, "the invite to expire");
    const late = await remote("late").run(["login", "-"], { stdin: text });
    expect(late.code).toBe(77);
    expect(late.stderr).toMatch(/invite.*expired/i);
    const garbled = await remote("garbled").run(["login", "-"], { stdin: "gcj1.abc" });
    expect(garbled.code).toBe(65);
  }, 30_000);

  test("another relay at the same address is refused, whether it has its own certificate or a stolen one", async () => {
    const unused = await invite();
    await relay.gc(["relay", "down"]);
    const other = relay.neighbour("other");
    other.prefix = cable.left.prefix;
    const up = ["relay", "up", "--listen", `${cable.left.address}:${port}`, "--detach"];

    await other.gc(up);
    const env = { GC_RELAY_WAIT: "2" };
    const run = ["run", "--endpoint", "my-endpoint", "--", "hostname"];
    const foreign = await user.run(run, { env });
    expect(foreign.code).toBe(125);
    expect(foreign.stdout).toBe("");
    expect(foreign.stderr).toMatch(/certificate/i);
    const newcomer = await remote("newcomer").run(["login", "-"], { stdin: unused });
    expect(newcomer.code).toBe(77);
    expect(newcomer.stderr).toMatch(/another certificate than the invite names/);
    await other.gc(["relay", "down"]);

    const thief = relay.neighbour("thief");
    thief.prefix = cable.left.prefix;
    mkdirSync(join(thief.home, "relay"), { mode: 0o700 });
    for (const name of ["cert.pem", "cert.key"]) {
      copyFileSync(join(relay.home, "relay", name), join(thief.home, "relay", name));
    }
    await thief.gc(up);
    const swapped = await user.run(run, { env });
    expect(swapped.code).toBe(125);
    expect(swapped.stdout).toBe("");
    expect(swapped.stderr).toMatch(/relay that answered is .*, but the relay known here is /);
    const lured = await remote("lured").run(["login", "-"], { stdin: unused });
    expect(lured.code).toBe(77);
    const listed = await thief.gc(["relay", "users", "--json"]);
    expect(listed).not.toContain("my-endpoint");
    await thief.gc(["relay", "down"]);
  }, 60_000);

  test("the same relay is welcome again, and the endpoint is stopped through it", async () => {
    await relay.gc(["relay", "up", "--detach"]);
    await cluster.gc(["endpoint", "restart", "my-endpoint"]);
    const hostname = Bun.spawnSync(["hostname"]).stdout.toString();
    expect(await user.gc(["run", "--endpoint", "my-endpoint", "--", "hostname"])).toBe(hostname);
    await cluster.gc(["endpoint", "stop", "my-endpoint"]);
    await until(() => cluster.daemons().length === 0, "endpoint and worker to end");
  }, 60_000);
});
