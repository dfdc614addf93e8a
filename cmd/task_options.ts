/** The options that say how a task runs, as `run` and `submit` share them. */
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { gatherPairs, memory_mib, wholeNumber } from "./amount.ts";

/** Adds the options to a command. */
export function addTaskOptions(command: Command): Command {
  const onLost = command.createOption("--on-lost <what>", "when its worker is lost: run it again, or end it as lost");
  return command
    .option("-e, --endpoint <name>", 'where: name, id or beginning of the id (default: GC_ENDPOINT, else "local")')
    .option("--shell", "the words are text for sh -c, not a program and its arguments")
    .option("--walltime <time>", "end it after this time: 90, 90s, 15m, 1h30m", duration_s)
    .option("--grace <time>", "time between TERM and KILL when it is ended (default: 10s)", duration_s)
    .option("--env <NAME=VALUE>", "a variable for the task; repeat for more", gatherPairs)
    .option("--cwd <dir>", "run in this directory instead of a sandbox of its own")
    .addOption(onLost.choices(["rerun", "fail"]))
    .option("--retries <count>", "run it again so often while it fails", wholeNumber(0))
    .option("--label <text>", "a name for people")
    .option("--group <name>", "put it into this task group: a name or an id")
    .option("--cores <count>", "CPU cores it needs", wholeNumber(1))
    .option("--cpus <count>", "the same as --cores", wholeNumber(1))
    .option("--memory <amount>", "memory it needs, such as 512M or 8G", memory_mib)
    .option("--gpus <count>", "GPUs it needs", wholeNumber(0))
    .option("--nodes <count>", "whole nodes it needs; with more than one it is started on each", wholeNumber(1))
    .option("--ranks <count>", "processes of an MPI program, over all its nodes", wholeNumber(1))
    .option("--ranks-per-node <count>", "the same, on each of its nodes", wholeNumber(1))
    .option("--launcher-options <text>", "more options for what starts the ranks, such as --launcher-options=-v")
    .option("--label-ranks", "begin each line of an MPI program's output with its rank")
    .option("--exclusive", "no other task runs beside it on its node")
    .option("--snippet-lines <count>", "last lines of output that come back in the result", wholeNumber(0))
    .option("--no-sandbox", "give it no directory of its own")
    .option("--discard-output", "send its output to /dev/null")
    .option("--priority <number>", "higher goes first, -1000 to 1000", priority);
}

/** `90`, `90s`, `15m`, `1h30m`, `2d` → seconds. */
export function duration_s(text: string): number {
  const parts = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?$/i.exec(text);
  if (parts === null || text === "")
    throw new InvalidArgumentError("It must be a time, such as 90, 90s, 15m or 1h30m.");
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = parts;
  return Number(days) * 86400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

function priority(text: string): number {
  const value = Number(text);
  if (/^-?\d{1,4}$/.test(text) && Math.abs(value) <= 1000) return value;
  throw new InvalidArgumentError("It must be a whole number from -1000 to 1000.");
}
