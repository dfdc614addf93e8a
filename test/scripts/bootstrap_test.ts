import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A clone with nothing installed, and a PATH on which only these programs are. */
function bareClone(programs: { [name: string]: string }): { clone: string; path: string; home: string } {
  const folder = mkdtempSync(join(tmpdir(), "clone-"));
  folders.push(folder);
  const [clone, path, home] = [join(folder, "gc"), join(folder, "bin"), join(folder, "home")];
  for (const made of [join(clone, "scripts"), path, home]) mkdirSync(made, { recursive: true });
  cpSync(join(root, "package.json"), join(clone, "package.json"));
  cpSync(join(root, "scripts/bun"), join(clone, "scripts/bun"));
  for (const [name, text] of Object.entries(programs)) writeProgram(join(path, name), text);
  for (const name of ["sh", "sed", "head", "dirname", "mkdir", "mktemp", "mv", "rm", "cat", "chmod"]) {
    const real = Bun.which(name);
    if (real !== null) writeProgram(join(path, name), `#!/bin/sh\nexec ${real} "$@"\n`);
  }
  return { clone, path, home };
}

function writeProgram(file: string, text: string): void {
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

/** An npm that "installs" two Buns, as npm does where it cannot tell the C library: one cannot run here, one can. */
const fakeNpm = (version: string) => `#!/bin/sh
echo "$@" >>"$NPM_LOG"
while [ "$1" != --prefix ]; do shift; done
for name in bun-a bun-b; do mkdir -p "$2/node_modules/@oven/$name/bin"; done
printf '#!/bin/sh\\nexit 127\\n' >"$2/node_modules/@oven/bun-a/bin/bun"
printf '#!/bin/sh\\n[ "$1" = --version ] && echo ${version} || echo ran "$@"\\n' >"$2/node_modules/@oven/bun-b/bin/bun"
chmod +x "$2"/node_modules/@oven/*/bin/bun
`;

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(shell: string[], place: ReturnType<typeof bareClone>, ...args: string[]): Promise<Ran> {
  const env = { PATH: place.path, HOME: place.home, NPM_LOG: join(place.home, "npm.log") };
  const child = Bun.spawn([...shell, "scripts/bun", ...args], {
    cwd: place.clone,
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

const shells = [["/bin/sh"], [Bun.which("dash") ?? ""], [Bun.which("busybox") ?? "", "sh"], [Bun.which("bash") ?? ""]];

describe.each(shells.filter(([shell]) => shell !== ""))("scripts/bun under %s %s", (...words) => {
  const shell = words.filter((word) => typeof word === "string");

  test("installs the pinned bun once, takes the one that runs here, and runs it", async () => {
    const place = bareClone({ npm: fakeNpm("1.4.5") });
    expect(await run(shell, place, "a", "b c")).toMatchObject({ code: 0, stdout: "ran a b c\n" });
    expect((await run(shell, place, "--where")).stdout).toBe(`${place.clone}/.tools/bun-1.4.5/bun\n`);
    const calls = (await Bun.file(join(place.home, "npm.log")).text()).trim().split("\n");
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain("--ignore-scripts");
    expect(readdirSync(join(place.clone, ".tools"))).toEqual(["bun-1.4.5"]);
  });

  test("refuses another version, and leaves nothing half done", async () => {
    const place = bareClone({ npm: fakeNpm("1.4.4") });
    const { code, stderr } = await run(shell, place, "--where");
    expect(code).toBe(1);
    expect(stderr).toContain("bun@1.4.5");
    expect(readdirSync(join(place.clone, ".tools"))).toEqual([]);
  });

  test("says that npm is missing, or failed", async () => {
    expect(await run(shell, bareClone({}), "--where")).toMatchObject({ code: 1, stdout: "" });
    const place = bareClone({ npm: "#!/bin/sh\nexit 1\n" });
    expect((await run(shell, place, "--where")).stderr).toContain("npm could not install bun 1.4.5");
  });

  test("takes the bun that is there already, from node_modules or PATH, when it is the pinned one", async () => {
    const old = bareClone({ bun: "#!/bin/sh\necho 1.4.4\n", npm: fakeNpm("1.4.5") });
    expect((await run(shell, old, "--where")).stdout).toContain("/.tools/");
    const pinned = bareClone({ bun: "#!/bin/sh\necho 1.4.5\n" });
    expect((await run(shell, pinned, "--where")).stdout).toBe(`${pinned.path}/bun\n`);
    mkdirSync(join(pinned.clone, "node_modules/.bin"), { recursive: true });
    writeProgram(join(pinned.clone, "node_modules/.bin/bun"), "#!/bin/sh\necho 1.4.5\n");
    expect((await run(shell, pinned, "--where")).stdout).toBe(`${pinned.clone}/node_modules/.bin/bun\n`);
    expect(existsSync(join(pinned.clone, ".tools"))).toBe(false);
  });
});
