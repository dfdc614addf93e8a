/** `gc endpoint logs`: the end of an endpoint's log, and what comes after. */
import type { Command } from "commander";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import { wholeNumber } from "../amount.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { followLines, lastLines } from "../tail.ts";
import { visibleText } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("logs")
    .description("Print the end of an endpoint's log, or follow it. For the output of a task: gc logs ID.")
    .argument("<name>", "its name, its id or the beginning of its id")
    .option("-n, --lines <count>", "lines to begin with", wholeNumber(0), 100)
    .option("-f, --follow", "keep printing what is added, until interrupted")
    .action(async (said: string, options: { lines: number; follow?: boolean }) => {
      const { name, paths } = findOwnEndpoint(cli.home, cli.host, said);
      const { lines, next } = lastLines(paths.log, options.lines);
      if (options.follow !== true) {
        const human = () => lines.map(visibleText).join("\n");
        cli.printer.document("gc/endpoint_log/v1", { name, path: paths.log, lines }, human);
        if (lines.length === 0) cli.printer.note(`The endpoint "${name}" has written no log yet`);
        return;
      }
      const print = (line: string) =>
        cli.printer.line("gc/endpoint_log_line/v1", { name, line }, () => visibleText(line));
      for (const line of lines) print(line);
      await followLines(paths.log, next, print, cli.host.clock);
    });
  addExamples(command, [
    ["gc endpoint logs my-endpoint", "the last 100 lines"],
    ["gc endpoint logs -f -n 10 my-endpoint", "the last 10, then what comes"],
  ]);
}
