/**
 * Programs of the operating system that some tests use. Where they are missing they are installed, if that can be done
 * without asking: as root, with apt. Otherwise what will be left out is said aloud, and the tests skip themselves.
 */

interface Tool {
  readonly command: string;
  readonly apt: string;
  readonly tests: string;
}

export const tools: readonly Tool[] = [
  { command: "strace", apt: "strace", tests: "the order of fsync and acknowledgement" },
  { command: "ip", apt: "iproute2", tests: "two network namespaces" },
  { command: "busybox", apt: "busybox", tests: "install.sh under busybox" },
  { command: "dash", apt: "dash", tests: "install.sh under dash" },
  { command: "curl", apt: "curl", tests: "install.sh by curl, the HTTP interface" },
  { command: "wget", apt: "wget", tests: "install.sh by wget" },
  { command: "zsh", apt: "zsh", tests: "completions for zsh" },
  { command: "fish", apt: "fish", tests: "completions for fish" },
];

/** Installs what is missing, or prints `SKIPPED` with the reason. Never fails. */
export function provideTools(): void {
  let missing = absent();
  if (missing.length === 0) return;
  let why = "not root";
  if (process.getuid?.() === 0) why = Bun.which("apt-get") === null ? "no apt-get" : install(missing);
  missing = absent();
  if (missing.length === 0) return;
  for (const { command, tests } of missing) {
    console.log(`SKIPPED: ${tests} (${command} is not installed, and cannot be: ${why})`);
  }
}

function absent(): Tool[] {
  return tools.filter(({ command }) => Bun.which(command, { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }) === null);
}

function install(missing: readonly Tool[]): string {
  const packages = missing.map(({ apt }) => apt);
  console.log(`Installing ${packages.join(", ")} (apt-get)`);
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: 180_000,
  } as const;
  Bun.spawnSync(["apt-get", "update", "-q"], options);
  const { success } = Bun.spawnSync(
    ["apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages],
    options,
  );
  return success ? "installed, yet not on PATH" : "apt-get failed";
}
