import { afterEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RelayStatus } from "../../core/relay/admin.ts";

const gc = fileURLToPath(new URL("../../cmd/gc.ts", import.meta.url));
const local = fileURLToPath(new URL("../../core/relay/local.ts", import.meta.url));
const homeFile = fileURLToPath(new URL("../../core/config/home.ts", import.meta.url));
const hostFile = fileURLToPath(new URL("../../core/host/real_host.ts", import.meta.url));

/** A process that needs the relay of this machine. */
const needy = `
  const { ensureLocalRelay } = await import(${JSON.stringify(local)});
  const { openHome } = await import(${JSON.stringify(homeFile)});
  const { realHost } = await import(${JSON.stringify(hostFile)});
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const address = await ensureLocalRelay(openHome(process.env), realHost(silent));
  console.log(address.path);
`;

let home = "";
afterEach(async () => {
  if (home !== "") {
    await run(["relay", "down"]);
    fs.rmSync(home, { recursive: true, force: true });
  }
  home = "";
});

async function run(args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, gc, ...args], {
    env: { ...process.env, GC_HOME: home },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
}

async function status(): Promise<RelayStatus & { running: boolean }> {
  return JSON.parse((await run(["relay", "status", "--json"])).out);
}

async function need(): Promise<string> {
  const child = Bun.spawn([process.execPath, "-e", needy], {
    env: { ...process.env, GC_HOME: home },
    stdout: "pipe",
    stderr: "inherit",
  });
  const out = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return out.trim();
}

function freshHome(): void {
  home = fs.mkdtempSync(join(tmpdir(), "gc-local-"));
}

test("many that need the relay at once start one, and it comes back after kill -9 on its stale socket", async () => {
  freshHome();
  const paths = await Promise.all(Array.from({ length: 4 }, need));
  expect(new Set(paths).size).toBe(1);
  const path = paths[0] ?? "";
  expect(fs.statSync(path).mode & 0o777).toBe(0o600);
  const first = await status();
  expect(first).toMatchObject({ running: true, data_dir: join(home, "relay") });
  process.kill(first.pid, "SIGKILL");
  expect(await need()).toBe(path);
  const second = await status();
  expect(second.pid).not.toBe(first.pid);
  expect([second.id, second.epoch]).toEqual([first.id, first.epoch]);
}, 20_000);

test("up, status, invite, users, backup, down and restore work from the command line", async () => {
  freshHome();
  expect((await run(["relay", "status"])).code).toBe(69);
  const up = await run(["relay", "up", "--detach", "--listen", "127.0.0.1:0", "--json"]);
  expect([up.code, up.err]).toEqual([0, ""]);
  const { url, epoch } = JSON.parse(up.out);
  expect(url).toStartWith("https://127.0.0.1:");
  const again = await run(["relay", "up", "--detach"]);
  expect(again.code).toBe(75);
  expect(again.err).toContain("already running");
  const invite = await run(["relay", "invite", "--role", "endpoint", "--ttl", "30m", "--quiet"]);
  expect(invite.out).toStartWith("gcj1.");
  expect((await run(["relay", "invite", "--ttl", "8d"])).code).toBe(64);
  expect(JSON.parse((await run(["relay", "users", "list", "--json"])).out).users).toEqual([]);
  expect((await run(["relay", "users", "remove", "abc"])).code).toBe(66);
  const file = join(home, "copy.gcb");
  expect((await run(["relay", "backup", file])).code).toBe(0);
  expect((await run(["relay", "backup", file])).code).toBe(73);
  expect((await run(["relay", "restore", file])).err).toContain("already running");
  expect((await run(["relay", "down"])).out).toContain("stopped");
  expect((await run(["relay", "down"])).out).toContain("was not running");
  const restored = JSON.parse((await run(["relay", "restore", file, "--json"])).out);
  expect(restored.epoch).not.toBe(epoch);
  expect((await run(["relay", "up", "--detach"])).code).toBe(0);
  // Where to listen was kept, with the port that was chosen: invites name it.
  expect(await status()).toMatchObject({ epoch: restored.epoch, listen: url.slice("https://".length), url });
}, 20_000);
