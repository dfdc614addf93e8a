/** Texts for the machine's boot: nothing in a name or a path can say more than a name or a path. */
import { describe, expect, test } from "bun:test";
import { hasCronLine, unitText, withCronLine, withoutCronLine } from "../../core/config/boot.ts";

const entry = { name: "lab", self: ["/opt/gc"], home: "/home/ann/.gc", hostname: "login1" };

describe("unitText()", () => {
  test("starts the endpoint in the foreground, on this machine only, and lets its workers live", () => {
    const text = unitText(entry);
    expect(text).toContain("\nExecStart=/opt/gc endpoint start lab\n");
    expect(text).toContain("\nConditionHost=login1\n");
    expect(text).toContain("\nKillMode=process\n");
    expect(text).toContain("\nEnvironment=GC_HOME=/home/ann/.gc\n");
  });

  test("quotes what systemd would expand", () => {
    const text = unitText({ ...entry, home: '/h/a b%i$HOME"\\', self: ["/my apps/gc"] });
    expect(text).toContain('ExecStart="/my apps/gc" endpoint start lab');
    expect(text).toContain('Environment="GC_HOME=/h/a b%%i$$HOME\\"\\\\"');
  });
});

describe("withCronLine()", () => {
  const table = "# mine\n0 1 * * * backup\n";

  test("adds one line, once, and leaves the others alone", () => {
    const once = withCronLine(table, entry);
    expect(once).toStartWith(table);
    expect(withCronLine(once, entry)).toBe(once);
    expect(once.split("\n").filter((line) => line.startsWith("@reboot"))).toHaveLength(1);
    expect(hasCronLine(once, "lab")).toBe(true);
  });

  test("is undone exactly, and only for the endpoint that is meant", () => {
    const both = withCronLine(withCronLine(table, entry), { ...entry, name: "lab2" });
    expect(withoutCronLine(both, "lab")).toContain("lab2");
    expect(withoutCronLine(withoutCronLine(both, "lab"), "lab2")).toBe(table);
  });

  test("heals a table without a last line end, and escapes what cron would cut at", () => {
    const text = withCronLine("0 1 * * * backup", { ...entry, home: "/h/100%/o'b" });
    expect(text).toStartWith(
      "0 1 * * * backup\n@reboot GC_HOME='/h/100\\%/o'\\''b' /opt/gc endpoint start --detach lab",
    );
  });
});
