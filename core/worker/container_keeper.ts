/**
 * Containers that a daemon or a monitor runs beside us: our child is only their client, and its death may leave them
 * running. So each writes its id into a file, and whoever ends a task, or buries a worker, ends them by that.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { findCommand, runCommand } from "../host/command.ts";
import { makePrivateDir, readJsonIfThere, readTextIfThere, removeIfThere, writeJson } from "../host/files.ts";
import { type Container, programOf, runsBesideUs } from "./container.ts";

/** A container program that does not answer is not waited for any longer than this. */
const patience_ms = 10_000;

/** The containers of one worker. */
export class ContainerKeeper {
  readonly container: Container;
  /** Path of the container program; undefined when it is not there. `custom` needs none. */
  readonly program: string | undefined;
  readonly beside: boolean;
  readonly #dir: string;
  readonly #env: { readonly [name: string]: string };

  /** `dir`: the worker's folder. `env`: what the container program is run with. */
  constructor(container: Container, dir: string, env: { readonly [name: string]: string }) {
    this.container = container;
    this.beside = runsBesideUs(container.type);
    this.#dir = join(dir, "containers");
    this.#env = env;
    const name = programOf(container.type);
    this.program = name === undefined ? "" : findCommand(name, env.PATH);
    if (!this.beside || this.program === undefined) return;
    makePrivateDir(this.#dir);
    writeJson(join(this.#dir, programFile), { program: this.program });
  }

  /** Where the id of the container of an attempt is written. It must not be there before. */
  cidfile(tid: string, attempt: number): string {
    const path = join(this.#dir, `${tid}.${attempt}.cid`);
    if (this.beside) removeIfThere(path);
    return path;
  }

  /** Ends a container at once; resolves when it is ended or cannot be. Nothing happens when there is none. */
  async kill(cidfile: string): Promise<void> {
    await order(this.program, "kill", cidfile, this.#env);
  }

  /** Makes sure that nothing of it is left. */
  async remove(cidfile: string): Promise<void> {
    await order(this.program, "rm -f", cidfile, this.#env);
    removeIfThere(cidfile);
  }
}

const programFile = "program.json";

/** Removes the containers of a dead worker, by what it left in its folder. */
export async function removeLeftContainers(
  dir: string,
  env: { readonly [name: string]: string | undefined },
): Promise<number> {
  const folder = join(dir, "containers");
  const said = readJsonIfThere(join(folder, programFile)) as { program?: unknown } | undefined;
  if (typeof said?.program !== "string") return 0;
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".cid"));
  for (const name of files) {
    await order(said.program, "rm -f", join(folder, name), env);
    removeIfThere(join(folder, name));
  }
  return files.length;
}

async function order(
  program: string | undefined,
  words: string,
  cidfile: string,
  env: { readonly [name: string]: string | undefined },
): Promise<void> {
  const id = readTextIfThere(cidfile)?.trim();
  if (program === undefined || id === undefined || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(id)) return;
  await runCommand([program, ...words.split(" "), id], { env, timeout_ms: patience_ms });
}
