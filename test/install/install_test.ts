/**
 * install.sh as people meet it: in several shells, with curl or wget, from a mirror or a file, and with everything that
 * can go wrong on the way. The rule behind most of them: `bin/gc` is the old program or the new one, never half of one,
 * and nothing else is left behind.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  busyboxToolbox,
  cleanUp,
  fakeGc,
  install,
  installer,
  makeFolder,
  plant,
  platform,
  publish,
  relayCertificate,
  serve,
  serveHalf,
  sha256,
  startInstall,
  toolbox,
} from "./mirror.ts";

afterEach(cleanUp);

const busybox = Bun.which("busybox");
const shells: { name: string; argv: string[] | undefined }[] = [
  { name: "sh", argv: ["/bin/sh"] },
  { name: "dash", argv: argvOf("dash") },
  { name: "bash --posix", argv: argvOf("bash", "--posix") },
  { name: "busybox sh", argv: argvOf("busybox", "sh") },
];

function argvOf(program: string, ...args: string[]): string[] | undefined {
  const found = Bun.which(program);
  return found === null ? undefined : [found, ...args];
}

/** Shows in the report what could not be tried here, and why. */
function skipped(what: string): void {
  test.skipIf(true)(`SKIPPED ${what}`, () => {});
}

/** Everything under `folder`, as relative paths. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
}

const installedTree = [
  ".local",
  ".local/bin",
  ".local/bin/gc",
  ".local/bin/gcompute",
  ".local/share",
  ".local/share/gc",
  ".local/share/gc/installed",
];

describe("install.sh", () => {
  for (const { name, argv } of shells) {
    if (argv === undefined) {
      skipped(`under ${name}: it is not on this machine`);
      continue;
    }
    test(`installs both names, reinstalls and uninstalls under ${name}`, async () => {
      const home = makeFolder();
      const { url } = serve(publish(fakeGc("9.9.9")));
      for (const _ of [1, 2]) {
        const outcome = await install(["--base-url", url], { shell: argv, home });
        expect(outcome.stderr).toContain("installed gc 9.9.9");
        expect(outcome).toMatchObject({ code: 0, stdout: "" });
        expect(tree(home)).toEqual(installedTree);
      }
      expect(readFileSync(join(home, ".local/bin/gc"))).toEqual(Buffer.from(fakeGc("9.9.9")));
      expect(statSync(join(home, ".local/bin/gc")).mode & 0o777).toBe(0o755);
      expect(readlinkSync(join(home, ".local/bin/gcompute"))).toBe("gc");
      const gone = await install(["--uninstall"], { shell: argv, home });
      expect(gone.code).toBe(0);
      expect(tree(home)).toEqual([".local", ".local/bin", ".local/share"]);
    });
  }

  if (busybox === null) skipped("with busybox tools only: busybox is not on this machine");
  else {
    test("works where every tool, wget too, is busybox", async () => {
      const home = makeFolder();
      const { url } = serve(publish(fakeGc("9.9.9")));
      const path = busyboxToolbox(busybox);
      const outcome = await install(["--base-url", url], { shell: [busybox, "sh"], home, path });
      expect(outcome.stderr).toContain("installed gc 9.9.9");
      expect(tree(home)).toEqual(installedTree);
    });
  }

  test("takes wget where there is no curl", async () => {
    const home = makeFolder();
    const { url, requests } = serve(publish(fakeGc("9.9.9")));
    const outcome = await install(["--base-url", url], { home, path: toolbox(["wget"]) });
    expect(outcome.code).toBe(0);
    expect(requests).toEqual(["SHA256SUMS", `gc-${platform}.gz`]);
  });

  test("says what to do where there is neither curl nor wget", async () => {
    const home = makeFolder();
    const outcome = await install(["--base-url", "http://127.0.0.1:1"], { home, path: toolbox([]) });
    expect(outcome.code).toBe(69);
    expect(outcome.stderr).toContain("--offline FILE");
  });

  test("takes an executable that is not compressed, as a relay serves it", async () => {
    const home = makeFolder();
    const program = fakeGc("9.9.9");
    const sums = Buffer.from(`${sha256(program)}  gc-${platform}\n`);
    const { url, requests } = serve(
      new Map([
        ["SHA256SUMS", sums],
        [`gc-${platform}`, program],
      ]),
    );
    expect((await install(["--base-url", `${url}/`], { home })).code).toBe(0);
    expect(requests).toEqual(["SHA256SUMS", `gc-${platform}`]);
  });

  test("takes it from a relay with a certificate of its own, and from nobody with another", async () => {
    const home = makeFolder();
    const program = fakeGc("9.9.9");
    const sums = Buffer.from(`${sha256(program)}  gc-${platform}\n`);
    const files = new Map([
      ["gc/SHA256SUMS", sums],
      [`gc/gc-${platform}`, program],
    ]);
    const [own, other] = [await relayCertificate(), await relayCertificate()];
    const { port } = serve(files, own);
    const pem = join(home, "cert.pem");
    writeFileSync(pem, other.cert);
    const refused = await install(["--relay", `127.0.0.1:${port}`, "--ca", pem], { home });
    expect(refused.code).toBe(69);
    expect(existsSync(join(home, ".local/bin/gc"))).toBe(false);
    writeFileSync(pem, own.cert);
    expect((await install(["--relay", `127.0.0.1:${port}`, "--ca", pem], { home })).code).toBe(0);
  });

  for (const relay of ["host", "host:", ":7443", "a b:1", "$(id):1", "host:x"]) {
    test(`refuses "${relay}" as a relay`, async () => {
      expect((await install(["--relay", relay], { home: makeFolder() })).code).toBe(64);
    });
  }

  test("takes a version from its folder and refuses an executable of another version", async () => {
    const home = makeFolder();
    const files = new Map(
      [...publish(fakeGc("9.9.9"))].flatMap(([name, bytes]) => [
        [`v9.9.9/${name}`, bytes] as const,
        [`v9.9.8/${name}`, bytes] as const,
      ]),
    );
    const { url } = serve(files);
    const wrong = await install(["--base-url", url, "--version", "9.9.8"], { home });
    expect(wrong.code).toBe(65);
    expect(wrong.stderr).toContain("asked for gc 9.9.8, but");
    expect(existsSync(join(home, ".local/bin/gc"))).toBe(false);
    expect((await install([`--base-url=${url}`, "--version=v9.9.9"], { home })).code).toBe(0);
  });

  test("installs from a file, checked against the SHA256SUMS beside it or a given hash", async () => {
    const home = makeFolder();
    const folder = makeFolder();
    const files = publish(fakeGc("9.9.9"));
    const file = join(folder, `gc-${platform}.gz`);
    writeFileSync(file, files.get(`gc-${platform}.gz`) ?? "");
    const unchecked = await install(["--offline", file], { home });
    expect(unchecked.code).toBe(65);
    expect(unchecked.stderr).toContain("SHA256SUMS");
    const hash = sha256(files.get(`gc-${platform}.gz`) ?? new Uint8Array(0));
    expect((await install(["--offline", file, "--sha256", hash.toUpperCase()], { home })).code).toBe(0);
    writeFileSync(join(folder, "SHA256SUMS"), files.get("SHA256SUMS") ?? "");
    expect((await install(["--offline", file, "--prefix", join(home, "p")], { home })).code).toBe(0);
    expect(existsSync(join(home, "p/bin/gc"))).toBe(true);
  });

  test("refuses a wrong checksum and leaves the installed gc as it was", async () => {
    const home = makeFolder();
    const good = serve(publish(fakeGc("9.9.9")));
    await install(["--base-url", good.url], { home });
    const files = publish(fakeGc("9.9.10"));
    files.set(`gc-${platform}.gz`, Bun.gzipSync("#!/bin/sh\necho gc evil\n"));
    const outcome = await install(["--base-url", serve(files).url], { home });
    expect(outcome.code).toBe(65);
    expect(outcome.stderr).toContain("expected");
    expect(tree(home)).toEqual(installedTree);
    expect(readFileSync(join(home, ".local/bin/gc"))).toEqual(Buffer.from(fakeGc("9.9.9")));
  });

  for (const [how, tool] of [
    ["length", "curl"],
    ["close", "curl"],
    ["length", "wget"],
    ["close", "wget"],
  ] as const) {
    test(`refuses a download that breaks off halfway (${how}, ${tool})`, async () => {
      const home = makeFolder();
      const { url } = serveHalf(publish(fakeGc("9.9.9", 100_000)), how);
      const outcome = await install(["--base-url", url], { home, path: toolbox([tool]) });
      expect([65, 69]).toContain(outcome.code);
      expect(tree(home)).toEqual([".local", ".local/bin"]);
    });
  }

  test("leaves nothing behind when it is ended in the middle of the download", async () => {
    const home = makeFolder();
    const { url, asked } = serveHalf(publish(fakeGc("9.9.9", 100_000)), "stall");
    const child = startInstall(["--base-url", url], { home });
    await asked;
    process.kill(-child.pid, "SIGTERM");
    expect(await child.exited).not.toBe(0);
    expect(tree(home)).toEqual([".local", ".local/bin"]);
  });

  test("does nothing when the script itself arrives only in part", async () => {
    const script = readFileSync(installer);
    const { url, requests } = serve(publish(fakeGc("9.9.9")));
    const home = makeFolder();
    const lengths = [...Array(25).keys()].map((i) => Math.floor((script.length * i) / 25));
    for (let tail = 2; tail < 30; tail++) lengths.push(script.length - tail);
    const env = { HOME: home, PATH: toolbox(["curl"]), GC_BASE_URL: url };
    for (const length of lengths) {
      const stdin = script.subarray(0, length);
      await Bun.spawn(["/bin/sh"], { stdin, env, stdout: "ignore", stderr: "ignore" }).exited;
    }
    expect(requests).toEqual([]);
    expect(tree(home)).toEqual([]);
  });

  test("works when piped into a shell", async () => {
    const home = makeFolder();
    const { url } = serve(publish(fakeGc("9.9.9")));
    const child = Bun.spawn(["/bin/sh", "-s", "--", "--base-url", url], {
      stdin: Bun.file(installer),
      env: { HOME: home, PATH: toolbox(["curl"]) },
      stdout: "ignore",
      stderr: "ignore",
    });
    expect(await child.exited).toBe(0);
    expect(tree(home)).toEqual(installedTree);
  });

  test("says so when writing fails because a quota is reached", async () => {
    const home = makeFolder();
    const { url } = serve(publish(fakeGc("9.9.9", 200_000)));
    const limited = ["/bin/sh", "-c", 'ulimit -f 64; trap "" XFSZ; exec /bin/sh "$@"', "sh"];
    const outcome = await install(["--base-url", url], { shell: limited, home });
    expect([69, 74]).toContain(outcome.code);
    expect(tree(home)).toEqual([".local", ".local/bin"]);
  });

  const mounted = process.getuid?.() === 0 ? mountTiny() : undefined;
  if (mounted === undefined) {
    skipped("full file system: mounting a tmpfs needs root");
  } else {
    test("refuses before it downloads when there is too little space", async () => {
      const { url, requests } = serve(publish(fakeGc("9.9.9")));
      const folder = makeFolder();
      expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).exitCode).toBe(0);
      try {
        const outcome = await install(["--base-url", url, "--prefix", folder], { home: makeFolder() });
        expect(outcome.code).toBe(73);
        expect(outcome.stderr).toContain("1 MiB free; gc needs 170 MiB");
        expect(requests).toEqual([]);
        expect(tree(folder)).toEqual(["bin"]);
      } finally {
        Bun.spawnSync(["umount", folder]);
      }
    });
  }

  test("does not replace a gc that it did not install, unless told to", async () => {
    const home = makeFolder();
    const { url } = serve(publish(fakeGc("9.9.9")));
    mkdirSync(join(home, "bin"));
    writeFileSync(join(home, "bin/gc"), "graphviz");
    const refused = await install(["--base-url", url, "--prefix", home], { home });
    expect(refused.code).toBe(73);
    expect(refused.stderr).toContain("graphviz");
    expect(readFileSync(join(home, "bin/gc"), "utf8")).toBe("graphviz");
    expect((await install(["--base-url", url, "--prefix", home, "--force"], { home })).code).toBe(0);
  });

  test("says which gc wins on PATH", async () => {
    const home = makeFolder();
    const { url } = serve(publish(fakeGc("9.9.9")));
    const tools = toolbox(["curl"]);
    const other = plant("gc", "#!/bin/sh\nexit 1\n");
    const bin = join(home, ".local/bin");
    const absent = await install(["--base-url", url], { home, path: tools });
    expect(absent.stderr).toContain(`${bin} is not on your PATH yet`);
    const wins = await install(["--base-url", url], { home, path: `${bin}:${other}:${tools}` });
    expect(wins.stderr).toContain("gc on your PATH is this one");
    const loses = await install(["--base-url", url], { home, path: `${other}:${bin}:${tools}` });
    expect(loses.stderr).toContain(`"gc" on your PATH is ${other}/gc, not this one: use gcompute`);
  });

  test("refuses an executable that does not start here", async () => {
    const home = makeFolder();
    const { url } = serve(publish(Buffer.from("#!/bin/sh\necho no such libc >&2; exit 9\n")));
    const outcome = await install(["--base-url", url], { home });
    expect(outcome.code).toBe(69);
    expect(outcome.stderr).toContain("no such libc");
    expect(tree(home)).toEqual([".local", ".local/bin"]);
  });

  for (const [system, machine, words] of [
    ["FreeBSD", "amd64", "Linux and macOS"],
    ["Linux", "ppc64le", "x86_64 and arm64"],
  ] as const) {
    test(`says that there is no gc for ${system} on ${machine}`, async () => {
      const uname = plant("uname", `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${machine}\n`);
      const home = makeFolder();
      const outcome = await install(["--base-url", "http://127.0.0.1:1"], {
        home,
        path: `${uname}:${toolbox(["curl"])}`,
      });
      expect(outcome.code).toBe(69);
      expect(outcome.stderr).toContain(words);
    });
  }

  for (const args of [["--no-such"], ["--prefix"], ["--version", "../../etc"], []]) {
    test(`refuses [${args.join(" ")}] as usage and touches nothing`, async () => {
      const home = makeFolder();
      const outcome = await install(args, { home });
      expect(outcome.code).toBe(64);
      expect(outcome.stderr).toContain("try: ");
      expect(tree(home).filter((path) => path.endsWith("gc"))).toEqual([]);
    });
  }

  test("uninstalls nothing that it did not install", async () => {
    const home = makeFolder();
    mkdirSync(join(home, ".local/bin"), { recursive: true });
    writeFileSync(join(home, ".local/bin/gc"), "mine");
    expect((await install(["--uninstall"], { home })).code).toBe(66);
    expect(readFileSync(join(home, ".local/bin/gc"), "utf8")).toBe("mine");
  });
});

/** Whether a tmpfs can be mounted here: tried once. */
function mountTiny(): true | undefined {
  const folder = makeFolder();
  const works = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).exitCode === 0;
  if (works) Bun.spawnSync(["umount", folder]);
  return works ? true : undefined;
}
