/**
 * A Slurm that accepts every block and never starts one: commands of its names that note when they were called. What a
 * bench needs to see how fast, and for how much, an endpoint asks.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface StubSlurm {
  /** For the PATH of the endpoint. */
  readonly bin: string;
  /** Wall clock of each submission so far, milliseconds. */
  submissions_ms(): number[];
}

/** Puts the commands into `folder`. */
export function stubSlurm(folder: string): StubSlurm {
  const bin = join(folder, "bin");
  const log = join(folder, "sbatch.log");
  const jobs = join(folder, "jobs");
  mkdirSync(bin, { recursive: true });
  writeFileSync(log, "");
  writeFileSync(jobs, "");
  const command = (name: string, lines: string): void => {
    const version = `case "$1" in --version|-V) echo "slurm 23.11.4"; exit 0;; esac`;
    writeFileSync(join(bin, name), `#!/bin/sh\n${version}\n${lines}\n`, { mode: 0o755 });
  };
  command(
    "sbatch",
    `date +%s.%N >>'${log}'; id=$(wc -l <'${log}'); cat >/dev/null; echo "$id" >>'${jobs}'; echo "$id"`,
  );
  command("squeue", `while read -r id; do echo "$id|PENDING|Priority|N/A|N/A||x|$id"; done <'${jobs}'`);
  command("scancel", `: >'${jobs}'`);
  command("sacct", "exit 0");
  command("scontrol", "exit 0");
  return {
    bin,
    submissions_ms() {
      if (!existsSync(log)) return [];
      return readFileSync(log, "latin1")
        .split("\n")
        .filter(Boolean)
        .map((line) => Number(line) * 1000);
    },
  };
}
