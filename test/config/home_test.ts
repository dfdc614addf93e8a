/** The home folder: where things are, whose it must be, and which names may become paths in it. */
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkName, isName } from "../../core/config/endpoint_name.ts";
import { openHome } from "../../core/config/home.ts";
import type { GcError } from "../../core/errors.ts";
import { codeOf, freshDir, removeDirs, removeLater } from "./fresh_home.ts";

afterEach(removeDirs);

describe("openHome()", () => {
  test("is GC_HOME, else .gc in the home directory, else refused", () => {
    const dir = freshDir();
    expect(openHome({ GC_HOME: dir, HOME: "/nowhere" }).root).toBe(dir);
    expect(openHome({ HOME: dir }).root).toBe(join(dir, ".gc"));
    expect(codeOf(() => openHome({}))).toBe("home.unknown");
  });

  test("makes nothing before something is written", () => {
    const home = openHome({ GC_HOME: join(freshDir(), "new") });
    expect(home.endpoint("lab").config).toEndWith("/new/endpoints/lab/config.yaml");
    expect(() => statSync(home.root)).toThrow();
  });

  test.each([0o777, 0o770, 0o702])("refuses a folder that others may write to (mode %o)", (mode) => {
    const dir = freshDir();
    chmodSync(dir, mode);
    expect(codeOf(() => openHome({ GC_HOME: dir }))).toBe("home.writable");
  });

  test("refuses a file in its place", () => {
    const path = join(freshDir(), "file");
    writeFileSync(path, "");
    expect(codeOf(() => openHome({ GC_HOME: path }))).toBe("home.not_a_folder");
  });
});

describe("Home.socket()", () => {
  test("is in the home folder, in a folder of our own", () => {
    const home = openHome({ GC_HOME: join(freshDir(), "h") });
    const path = home.socket("relay");
    expect(path).toBe(join(home.root, "run", "relay.sock"));
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  });

  test("moves to /tmp when the path would not fit a socket's address, a different one for each home", () => {
    const paths = ["a", "b"].map((end) =>
      openHome({ GC_HOME: join(freshDir(), "long/".repeat(20), end) }).socket("relay"),
    );
    for (const path of paths) {
      removeLater(dirname(path));
      expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100);
      expect(path).toStartWith("/tmp/gc-");
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    }
    expect(paths[0]).not.toBe(paths[1]);
  });

  test("refuses a link in place of the short folder, wherever it leads", () => {
    const home = openHome({ GC_HOME: join(freshDir(), "long/".repeat(20)) });
    const dir = dirname(home.socket("relay"));
    rmSync(dir, { recursive: true });
    symlinkSync(freshDir(), dir);
    removeLater(dir);
    expect(codeOf(() => home.socket("relay"))).toBe("home.not_a_folder");
  });

  test("refuses a short folder that others may write to", () => {
    const home = openHome({ GC_HOME: join(freshDir(), "long/".repeat(20)) });
    const dir = dirname(home.socket("relay"));
    removeLater(dir);
    chmodSync(dir, 0o777);
    expect(codeOf(() => home.socket("relay"))).toBe("home.writable");
  });
});

describe("checkName()", () => {
  test.each(["a", "my-endpoint", "A.b_c-9", "x".repeat(64)])("takes %p", (name) => {
    expect(checkName(name)).toBe(name);
  });

  const hostile = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a\\b",
    ".hidden",
    "-f",
    "a b",
    "a\nb",
    "a\u001b[31m",
    "a\u202eb",
    "ä",
    "a..b",
    "x".repeat(65),
    "a'b",
    "$(x)",
    "0d757e2c-e4b6-883c-b854-d8a17f7e649b",
    "a\0",
  ];
  test.each(hostile)("refuses %j and never repeats it raw", (name) => {
    expect(isName(name)).toBe(false);
    try {
      openHome({ GC_HOME: join(freshDir(), "h") }).endpointDir(name);
      expect.unreachable();
    } catch (error) {
      expect((error as GcError).code).toBe("name.malformed");
      expect((error as GcError).message).not.toMatch(/[\u0000-\u001f\u007f]/);
    }
  });

  test("lets no endpoint leave its folder", () => {
    const home = openHome({ GC_HOME: join(freshDir(), "h") });
    mkdirSync(home.endpoints, { recursive: true });
    expect(codeOf(() => home.endpoint("../../etc"))).toBe("name.malformed");
  });
});
