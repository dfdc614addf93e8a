/**
 * A throw-away sshd on loopback, in the bench's folder, with a master connection that is open already: the quickest way
 * people have to run one command elsewhere. Needs root, sshd and ssh; listens on 127.0.0.1 only.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../core/host/free_port.ts";
import { Skip } from "./harness.ts";

export interface SshPeer {
  /** argv that runs a command over the open master connection. */
  warm(command: string): string[];
  close(): Promise<void>;
}

/** @throws Skip when something is missing. */
export async function openSsh(folder: string): Promise<SshPeer> {
  const sshd = Bun.which("sshd", { PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin" });
  if (sshd === null) throw new Skip("sshd is not on this machine (Debian: apt-get install openssh-server)");
  if (Bun.which("ssh") === null || Bun.which("ssh-keygen") === null) throw new Skip("there is no ssh client");
  if (process.getuid?.() !== 0) throw new Skip("sshd in a temporary folder needs root here");
  const dir = join(folder, "ssh");
  mkdirSync(dir, { mode: 0o700 });
  mkdirSync("/run/sshd", { recursive: true });
  for (const key of ["host", "user"]) await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(dir, key)]);
  writeFileSync(join(dir, "authorized"), readFileSync(join(dir, "user.pub")));
  const port = await freePort("127.0.0.1");
  writeFileSync(join(dir, "server"), serverConfig(dir, port));
  writeFileSync(join(dir, "client"), clientConfig(dir, port));
  const server = Bun.spawn([sshd, "-D", "-e", "-f", join(dir, "server")], {
    stdio: ["ignore", "ignore", Bun.file(join(dir, "log"))],
  });
  const ssh = ["ssh", "-F", join(dir, "client"), "m"];
  const close = async (): Promise<void> => {
    await Bun.spawn(["ssh", "-F", join(dir, "client"), "-O", "exit", "m"], { stdio: ["ignore", "ignore", "ignore"] })
      .exited;
    server.kill();
    await server.exited;
  };
  try {
    await firstAnswer([...ssh, "true"], join(dir, "log"));
  } catch (error) {
    await close();
    throw error;
  }
  return { warm: (command) => [...ssh, command], close };
}

/** SHLVL=5 keeps bash from reading ~/.bashrc, which would be measured instead of ssh (performance.md §11). */
function serverConfig(dir: string, port: number): string {
  return [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${dir}/host`,
    `AuthorizedKeysFile ${dir}/authorized`,
    `PidFile ${dir}/pid`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "SetEnv SHLVL=5",
    "",
  ].join("\n");
}

function clientConfig(dir: string, port: number): string {
  return [
    "Host m",
    "  HostName 127.0.0.1",
    `  Port ${port}`,
    `  IdentityFile ${dir}/user`,
    "  IdentitiesOnly yes",
    "  StrictHostKeyChecking no",
    `  UserKnownHostsFile ${dir}/known`,
    "  LogLevel ERROR",
    "  ControlMaster auto",
    `  ControlPath ${dir}/m`,
    "  ControlPersist 600",
    "",
  ].join("\n");
}

async function must(argv: string[]): Promise<void> {
  const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "inherit"] });
  if ((await child.exited) !== 0) throw new Skip(`${argv[0]} failed`);
}

/** Opens the master connection; tries for ten seconds, since sshd says nothing when it is ready. */
async function firstAnswer(argv: string[], log: string): Promise<void> {
  const deadline_ms = performance.now() + 10_000;
  for (;;) {
    const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] });
    if ((await child.exited) === 0) return;
    if (performance.now() > deadline_ms) throw new Skip(`sshd does not let us in: ${readFileSync(log, "utf8").trim()}`);
    await Bun.sleep(50);
  }
}
