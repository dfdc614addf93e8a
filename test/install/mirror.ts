/**
 * What install.sh meets in its tests: a mirror that publishes a fake gc (a shell script), shells to run it with, and a
 * PATH that holds only chosen tools. Nothing here touches the network beyond 127.0.0.1.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../core/access/certificate.ts";
import { realRandom } from "../../core/host/random.ts";

export const installer = join(import.meta.dir, "../../install.sh");

/** What install.sh calls this machine. */
export const platform = `${process.platform}-${process.arch}`;

/** A temporary folder, removed by `cleanUp`. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gc-install-test-"));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
const servers: { stop(): void }[] = [];

export function cleanUp(): void {
  for (const server of servers.splice(0)) server.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A program that answers `--version` as gc does; `padding` makes it larger. */
export function fakeGc(version: string, padding = 0): Uint8Array {
  const noise = padding === 0 ? "" : Buffer.from(crypto.getRandomValues(new Uint8Array(padding))).toString("base64");
  return Buffer.from(`#!/bin/sh\nif [ "$1" = --version ]; then echo "gc ${version}"; fi\nexit 0\n# ${noise}\n`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Files of one published version, as scripts/build writes them. */
export function publish(program: Uint8Array): Map<string, Uint8Array> {
  const name = `gc-${platform}.gz`;
  const packed = Bun.gzipSync(Uint8Array.from(program));
  const sums = `${sha256(Buffer.from("another"))}  gc-other-x64.gz\n${sha256(packed)}  ${name}\n`;
  return new Map<string, Uint8Array>([
    [name, packed],
    ["SHA256SUMS", Buffer.from(sums)],
  ]);
}

/** Serves files by name; `requests` lists what was asked for. */
export function serve(
  files: Map<string, Uint8Array>,
  tls?: { key: string; cert: string },
): { url: string; port: number; requests: string[] } {
  const requests: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    fetch(request) {
      const path = new URL(request.url).pathname.slice(1);
      requests.push(path);
      const body = files.get(path);
      return body === undefined ? new Response("not here", { status: 404 }) : new Response(Uint8Array.from(body));
    },
  });
  servers.push({ stop: () => void server.stop(true) });
  return { url: `http://127.0.0.1:${server.port}`, port: server.port ?? 0, requests };
}

/** Key and certificate as a relay makes them for itself. */
export async function relayCertificate(): Promise<{ key: string; cert: string }> {
  const { key_pem, cert_pem } = await makeCertificate(Date.now(), realRandom());
  return { key: key_pem, cert: cert_pem };
}

/**
 * Serves SHA256SUMS whole and of everything else only the first half. `how`: announce the full length, or none, and
 * close; or announce it and never go on (`asked` resolves when that point is reached).
 */
export function serveHalf(
  files: Map<string, Uint8Array>,
  how: "length" | "close" | "stall",
): { url: string; asked: Promise<void> } {
  const asked = Promise.withResolvers<void>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        const path = bytes.toString().split(" ")[1]?.slice(1) ?? "";
        const body = files.get(path) ?? new Uint8Array(0);
        const whole = path === "SHA256SUMS";
        const length = whole || how !== "close" ? `Content-Length: ${body.length}\r\n` : "";
        socket.write(`HTTP/1.1 200 OK\r\n${length}Connection: close\r\n\r\n`);
        socket.write(whole ? body : body.subarray(0, body.length / 2));
        if (!whole) asked.resolve();
        if (whole || how !== "stall") socket.end();
      },
    },
  });
  servers.push({ stop: () => server.stop(true) });
  return { url: `http://127.0.0.1:${server.port}`, asked: asked.promise };
}

/** The tools that install.sh may use, besides one that downloads. */
const tools =
  "awk cat chmod cp df grep gzip head id ln ls mkdir mv printf pwd rm rmdir sh sha256sum sleep sync tr uname".split(
    " ",
  );

/** A folder for PATH with links to the usual tools and to `more`; what is not on this machine is left out. */
export function toolbox(more: string[]): string {
  const folder = makeFolder();
  for (const tool of [...tools, ...more]) {
    const found = Bun.which(tool, { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" });
    if (found !== null) symlinkSync(found, join(folder, tool));
  }
  return folder;
}

/** A folder for PATH in which every tool is busybox. */
export function busyboxToolbox(busybox: string): string {
  const folder = makeFolder();
  Bun.spawnSync([busybox, "--install", "-s", folder]);
  return folder;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  /** The shell's argv. */
  shell?: string[];
  home: string;
  path?: string;
  env?: { [name: string]: string };
}

/** Runs install.sh with `args` and waits for it. */
export async function install(args: string[], around: Surroundings): Promise<Outcome> {
  const child = startInstall(args, around);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** Starts it in a process group of its own. */
export function startInstall(args: string[], around: Surroundings): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const path = around.path ?? toolbox(["curl"]);
  return Bun.spawn([...(around.shell ?? ["/bin/sh"]), installer, ...args], {
    cwd: around.home,
    env: { HOME: around.home, PATH: path, ...around.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
}

/** Puts a program called `name` into a new folder and returns the folder. */
export function plant(name: string, text: string): string {
  const folder = makeFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
  return folder;
}
