/** Peers in processes of their own, so that they can be frozen: an acceptor, and an opener that hoards. */
import { fileURLToPath } from "node:url";
import { listen, openLink } from "../../core/wire/link.ts";
import { echo, newUser, openRelay, quietHost, Witness } from "./parties.ts";

/** A process that can be stopped and continued. */
export interface Freezable {
  freeze(): void;
  thaw(): void;
}

interface Cleaning {
  later(act: () => unknown): void;
}

/** An echoing relay at `path`; resolves when it listens. */
export function startFrozen(ground: Cleaning, path: string): Promise<Freezable> {
  return start(ground, "acceptor", path);
}

/** An opener that links to `path` and does nothing more. */
export function startHoarder(ground: Cleaning, path: string): Promise<Freezable> {
  return start(ground, "opener", path);
}

async function start(ground: Cleaning, role: string, path: string): Promise<Freezable> {
  const here = Bun.isStandaloneExecutable ? [] : [fileURLToPath(import.meta.url)];
  const child = Bun.spawn([process.execPath, ...here, "__peer", role, path], { stdout: "pipe", stderr: "inherit" });
  ground.later(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error(`The ${role} did not start`);
  return { freeze: () => child.kill("SIGSTOP"), thaw: () => child.kill("SIGCONT") };
}

/** What such a process does; returns false when this process is not meant to be one. */
export async function playPeer(argv: readonly string[]): Promise<boolean> {
  const at = argv.indexOf("__peer");
  const [role, path] = argv.slice(at + 1);
  if (at < 0 || path === undefined) return false;
  const host = quietHost();
  if (role === "acceptor") await listen({ unix: path }, openRelay(), new Witness(echo), host);
  else await openLink({ kind: "unix", path }, newUser(), new Witness(), host);
  console.log("ready");
  return true;
}

if (import.meta.main) await playPeer(process.argv);
