/**
 * Starting at boot, with systemctl, loginctl and crontab of our own in PATH: they note what they were asked and answer
 * as the real ones do. Nothing here touches the machine's own units or crontabs.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Place } from "./command_line.ts";

let place: Place;
beforeEach(async () => {
  place = new Place();
  mkdirSync(join(place.dir, "bin"));
  await place.gc(["endpoint", "configure", "lab"]);
});
afterEach(() => place.remove());

const env = () => ({ PATH: `${join(place.dir, "bin")}:/bin`, USER: "ann" });
const asked = () => (existsSync(join(place.dir, "asked")) ? readFileSync(join(place.dir, "asked"), "utf8") : "");
const unit = () => join(place.dir, ".config/systemd/user/gc-endpoint-lab.service");

/** Puts a program on PATH that notes its arguments and then runs `body`. */
function fake(name: string, body: string): void {
  const path = join(place.dir, "bin", name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> "$HOME/asked"\n${body}\n`);
  chmodSync(path, 0o755);
}

const crontab =
  'case "$1" in -l) cat "$HOME/table" 2>/dev/null || { echo "no crontab for ann" >&2; exit 1; };; ' +
  '-) cat > "$HOME/table";; esac';

describe("gc endpoint enable", () => {
  test("writes a systemd user unit and asks for lingering", async () => {
    fake("systemctl", "exit 0");
    fake("loginctl", "exit 0");
    const ran = await place.gc(["endpoint", "enable", "lab", "--json"], { env: env() });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ran.stdout)).toEqual({
      schema: "gc/endpoint_enabled/v1",
      name: "lab",
      how: "systemd",
      where: unit(),
    });
    expect(readFileSync(unit(), "utf8")).toContain(`Environment=GC_HOME=${place.home}\n`);
    expect(asked()).toBe(
      "systemctl --user show-environment\nsystemctl --user daemon-reload\n" +
        "systemctl --user enable gc-endpoint-lab.service\nloginctl enable-linger\n",
    );
  });

  test("says what to ask for when lingering is denied", async () => {
    fake("systemctl", "exit 0");
    fake("loginctl", "exit 1");
    const ran = await place.gc(["endpoint", "enable", "lab"], { env: env() });
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain("loginctl enable-linger ann");
  });

  test("leaves no unit behind that systemd did not take", async () => {
    fake("systemctl", '[ "$2" = enable ] && { echo "Unit is masked" >&2; exit 1; }; exit 0');
    const ran = await place.gc(["endpoint", "enable", "lab"], { env: env() });
    expect(ran.code).toBe(69);
    expect(ran.stderr).toContain("Unit is masked");
    expect(existsSync(unit())).toBe(false);
  });

  test("falls back to cron, keeps the other lines, and is the same when said twice", async () => {
    fake("systemctl", 'echo "Failed to connect to bus" >&2; exit 1');
    fake("crontab", crontab);
    writeFileSync(join(place.dir, "table"), "0 1 * * * backup\n");
    for (const _ of [1, 2]) expect((await place.gc(["endpoint", "enable", "lab"], { env: env() })).code).toBe(0);
    const lines = readFileSync(join(place.dir, "table"), "utf8").split("\n");
    expect(lines[0]).toBe("0 1 * * * backup");
    expect(lines[1]).toStartWith(`@reboot GC_HOME=${place.home} `);
    expect(lines[1]).toContain(" endpoint start --detach lab ");
    expect(lines).toHaveLength(3);
  });

  test("says what to ask for when there is neither", async () => {
    fake("crontab", 'echo "You (ann) are not allowed to use this program (crontab)" >&2; exit 1');
    const ran = await place.gc(["endpoint", "enable", "lab"], { env: env() });
    expect(ran.code).toBe(69);
    expect(ran.stderr).toContain("next: ask the administrator for: loginctl enable-linger ann");
  });

  test("refuses an endpoint that is not there, and asks nobody", async () => {
    fake("systemctl", "exit 0");
    expect((await place.gc(["endpoint", "enable", "other"], { env: env() })).code).toBe(66);
    expect(asked()).toBe("");
  });
});

describe("gc endpoint disable", () => {
  test("withdraws unit and line, and says when there was nothing", async () => {
    fake("systemctl", "exit 0");
    fake("loginctl", "exit 0");
    fake("crontab", crontab);
    await place.gc(["endpoint", "enable", "lab"], { env: env() });
    writeFileSync(join(place.dir, "table"), "a\n@reboot x # gc-endpoint lab\n");
    const ran = await place.gc(["endpoint", "disable", "lab", "--json"], { env: env() });
    expect(JSON.parse(ran.stdout)).toEqual({ schema: "gc/endpoint_disabled/v1", name: "lab", was_enabled: true });
    expect(existsSync(unit())).toBe(false);
    expect(readFileSync(join(place.dir, "table"), "utf8")).toBe("a\n");
    expect((await place.gc(["endpoint", "disable", "lab"], { env: env() })).stdout).toContain("was not enabled");
  });

  test("comes with delete", async () => {
    fake("systemctl", "exit 0");
    fake("loginctl", "exit 0");
    await place.gc(["endpoint", "enable", "lab"], { env: env() });
    expect((await place.gc(["endpoint", "delete", "lab", "--yes"], { env: env() })).code).toBe(0);
    expect(existsSync(unit())).toBe(false);
  });
});
