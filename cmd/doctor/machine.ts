/** Checks of the machine: what the program itself needs from kernel, limits, programs and terminal. */
import { accessSync, constants, existsSync, readFileSync, realpathSync } from "node:fs";
import { runCommand } from "../../core/host/command.ts";
import { selfArgv } from "../../core/host/self.ts";
import type { Cli } from "../cli.ts";
import { commit, version } from "../version.ts";
import type { Check } from "./check.ts";

/** All checks of the machine. */
export async function checkMachine(cli: Cli): Promise<Check[]> {
  return [
    checkProgram(cli),
    checkProc(),
    ...checkLimits(),
    checkShell(),
    checkTemporary(cli),
    checkTerminal(cli),
    checkSchedulers(cli),
    await checkBoot(cli),
  ];
}

/** Which gc this is, and whether typing `gc` means it: graphviz ships a program of that name. */
function checkProgram(cli: Cli): Check {
  const name = "program";
  const about = `gc ${version} (${commit}) for ${process.platform} ${process.arch}`;
  const first = Bun.which("gc", { PATH: cli.env.PATH ?? "" });
  const self = selfArgv()[0] ?? "";
  if (first === null) return { name, status: "info", message: `${about}; there is no gc on PATH` };
  if (!Bun.isStandaloneExecutable || realpathSync(first) === realpathSync(self)) {
    return { name, status: "ok", message: about };
  }
  return { name, status: "warn", message: `${about}; but gc on PATH is ${first}`, next: "type gcompute instead of gc" };
}

function checkProc(): Check {
  const name = "process table";
  if (process.platform !== "linux") return { name, status: "info", message: "There is no /proc here: ps is asked" };
  if (existsSync("/proc/self/stat")) return { name, status: "ok", message: "/proc is mounted" };
  return { name, status: "fail", message: "/proc is not mounted", next: "ask the administrator to mount /proc" };
}

interface LimitRule {
  readonly label: string;
  readonly name: string;
  readonly atLeast: number;
  readonly unit: string;
  readonly why: string;
  readonly next: string;
}

/** The runtime reserves address space it never uses, and aborts below 2.3 GB (bun.md §2). */
const limitRules: readonly LimitRule[] = [
  {
    label: "Max processes",
    name: "process limit",
    atLeast: 256,
    unit: "processes",
    why: "tasks may not be able to start theirs",
    next: "ulimit -u unlimited",
  },
  {
    label: "Max open files",
    name: "file limit",
    atLeast: 1024,
    unit: "open files",
    why: "a relay or an endpoint with many links may run out",
    next: "ulimit -n 4096",
  },
  {
    label: "Max address space",
    name: "address space",
    atLeast: 2_400_000_000,
    unit: "bytes",
    why: "gc may be slow or not start",
    next: "ulimit -v unlimited",
  },
  {
    label: "Max cpu time",
    name: "CPU time limit",
    atLeast: Number.POSITIVE_INFINITY,
    unit: "seconds",
    why: "a long-running endpoint would be killed by it",
    next: "ulimit -t unlimited, or run the endpoint on another machine",
  },
];

function checkLimits(): Check[] {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "latin1");
  } catch {
    return [];
  }
  return limitRules.flatMap((rule): Check[] => {
    const soft = new RegExp(`^${rule.label}\\s+(\\S+)`, "m").exec(text)?.[1];
    if (soft === undefined) return [];
    const value = soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
    const said = soft === "unlimited" ? `no limit of ${rule.unit}` : `${soft} ${rule.unit}`;
    if (value >= rule.atLeast) return [{ name: rule.name, status: "ok", message: `At most: ${said}` }];
    return [{ name: rule.name, status: "warn", message: `At most ${said}: ${rule.why}`, next: rule.next }];
  });
}

function checkShell(): Check {
  const name = "shell";
  try {
    accessSync("/bin/sh", constants.X_OK);
    return { name, status: "ok", message: "/bin/sh is there for gc run --shell" };
  } catch {
    return { name, status: "fail", message: "There is no /bin/sh: only plain commands can run" };
  }
}

function checkTemporary(cli: Cli): Check {
  const name = "temporary files";
  const dir = cli.env.TMPDIR || "/tmp";
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return { name, status: "ok", message: `${dir} may be written to` };
  } catch {
    return { name, status: "warn", message: `${dir} may not be written to`, next: "export TMPDIR=DIR" };
  }
}

function checkTerminal(cli: Cli): Check {
  const name = "terminal";
  const { stdin, stdout, stderr } = cli.terminal;
  if (!stdin && !stdout && !stderr) return { name, status: "info", message: "No terminal: nothing will ever be asked" };
  const term = cli.env.TERM ?? "";
  if (term === "") return { name, status: "warn", message: "TERM is not set", next: "export TERM=xterm-256color" };
  return { name, status: "ok", message: `TERM is ${term}` };
}

/** Commands that give a batch scheduler away, and its name. */
const schedulers: readonly (readonly [command: string, scheduler: string])[] = [
  ["sbatch", "Slurm"],
  ["qsub", "PBS, Torque or Grid Engine"],
  ["bsub", "LSF"],
  ["cqsub", "Cobalt"],
  ["kubectl", "Kubernetes"],
];

function checkSchedulers(cli: Cli): Check {
  const found = schedulers.filter(([command]) => Bun.which(command, { PATH: cli.env.PATH ?? "" }) !== null);
  const names = found.map(([command, scheduler]) => `${scheduler} (${command})`).join(", ");
  return { name: "schedulers", status: "info", message: names === "" ? "None on PATH: tasks run here" : names };
}

/** Whether an endpoint could be started at boot, and by what. */
async function checkBoot(cli: Cli): Promise<Check> {
  const name = "start at boot";
  const manager = await runCommand(["systemctl", "--user", "show-environment"], { env: cli.env, timeout_ms: 5000 });
  if (manager.code === 0) return { name, status: "ok", message: "By a systemd user unit (gc endpoint enable)" };
  const table = await runCommand(["crontab", "-l"], { env: cli.env, timeout_ms: 5000 });
  if (table.code === 0 || /no crontab/i.test(table.stderr)) {
    return { name, status: "ok", message: "By cron (gc endpoint enable)" };
  }
  const message = "Neither systemd user units nor cron can be used: endpoints must be started by hand after a reboot";
  return { name, status: "info", message, next: `ask for: loginctl enable-linger ${cli.env.USER ?? "YOU"}` };
}
