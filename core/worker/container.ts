/**
 * Tasks inside a container image: the command of a task becomes the last words of a container program's command line,
 * as Globus Compute writes it (globus-compute.md §3.2). Values of variables travel by environment, never by argv, which
 * everybody on the machine can read. Pure; what runs beside us and must be ended is in `container_keeper.ts`.
 */
import type { TaskSpec } from "../schema/task.ts";
import type { WorkerFile } from "../schema/worker_file.ts";

export type Container = NonNullable<WorkerFile["container"]>;

/** One task, as it would be run without a container. */
export interface Inside {
  argv: readonly string[];
  env: { readonly [name: string]: string };
  /** Names in `env` that the task is to see whatever the image says. */
  pass: readonly string[];
  cwd: string;
  home: string;
  sandbox: string | undefined;
  spec: Pick<TaskSpec, "stdin" | "tty" | "resources">;
  cpus: readonly number[];
  cidfile: string;
  user: string;
}

/** What is started instead. */
export interface Wrapped {
  argv: string[];
  env: { [name: string]: string };
}

/** Placeholders of `custom`, as Globus Compute has them. */
const launchWord = "{EXECUTOR_LAUNCH_CMD}";
const rundirWord = "{EXECUTOR_RUNDIR}";

/** The program of a kind of container, as it is found in PATH; undefined where the options begin with it. */
export function programOf(type: Container["type"]): string | undefined {
  return type === "custom" ? undefined : type;
}

/** Whether containers of this kind are run by somebody else, so that ending our child may not end them. */
export function runsBesideUs(type: Container["type"]): boolean {
  return type === "docker" || type === "podman" || type === "podman-hpc";
}

/** The command line that runs a task in a container; `program`: the container program's path. */
export function inContainer(container: Container, program: string, inside: Inside): Wrapped {
  switch (container.type) {
    case "apptainer":
    case "singularity":
      return likeApptainer(container, program, inside);
    case "docker":
    case "podman":
    case "podman-hpc":
      return likeDocker(container, program, inside);
    case "custom":
      return custom(container, inside);
  }
}

/** The container has our processes, our user and most of our files; only the image's own variables win over ours. */
function likeApptainer(container: Container, program: string, inside: Inside): Wrapped {
  const { argv, cwd, home, sandbox } = inside;
  // Their own defaults are the home and /tmp; what lies elsewhere must be named.
  const binds = placesOf(sandbox, cwd).filter((place) => place !== home && place !== "/tmp");
  const words = binds.flatMap((place) => ["--bind", place]);
  const image = container.image ?? "";
  const env = { ...inside.env };
  const prefix = container.type === "apptainer" ? "APPTAINERENV_" : "SINGULARITYENV_";
  for (const name of inside.pass) env[`${prefix}${name}`] = inside.env[name] ?? "";
  return { argv: [program, "run", ...words, "--pwd", cwd, ...container.options, image, ...argv], env };
}

function likeDocker(container: Container, program: string, inside: Inside): Wrapped {
  const { argv, cwd, sandbox, spec, cpus, cidfile, user } = inside;
  const { options, type } = container;
  const words = ["run", "--rm", "--cidfile", cidfile];
  if (spec.tty !== undefined) words.push("-it");
  else if (spec.stdin !== undefined && spec.stdin.kind !== "none") words.push("-i");
  for (const place of placesOf(sandbox, cwd)) words.push("-v", `${place}:${place}`);
  words.push("-w", cwd);
  if (type === "docker") {
    // Its daemon is root and knows nothing of us: files would be root's, limits would be nobody's.
    if (!options.some((word) => /^(-u|--user)(=|$)/.test(word))) words.push("--user", user);
    if (cpus.length > 0) words.push("--cpuset-cpus", cpus.join(","));
  }
  for (const name of inside.pass) words.push("-e", name);
  return { argv: [program, ...words, ...options, container.image ?? "", ...argv], env: { ...inside.env } };
}

/** Words before the command, or words with a place for it. */
function custom(container: Container, inside: Inside): Wrapped {
  const rundir = inside.sandbox ?? inside.cwd;
  const words = container.options.flatMap((option) => {
    const word = option.replaceAll(rundirWord, rundir);
    if (word === launchWord) return inside.argv;
    return word.includes(launchWord) ? [word.replaceAll(launchWord, inside.argv.map(quoted).join(" "))] : [word];
  });
  const has_place = container.options.some((option) => option.includes(launchWord));
  return { argv: has_place ? words : [...words, ...inside.argv], env: { ...inside.env } };
}

/** Directories of the host that the task needs, each once; one inside another is there with it. */
function placesOf(sandbox: string | undefined, cwd: string): string[] {
  const places = sandbox === undefined ? [] : [sandbox];
  const inSandbox = sandbox !== undefined && (cwd === sandbox || cwd.startsWith(`${sandbox}/`));
  if (!inSandbox && cwd !== "/") places.push(cwd);
  return places;
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
