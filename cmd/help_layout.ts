/** How help looks: what everybody reads first comes first, the options of every command last. */
import { Help, type HelpConfiguration } from "commander";
import type { Cli } from "./cli.ts";

/** Heading of the options that every command takes. */
export const globalHeading = "Options of every command:";

/** The layout, for commander. Sections are sorted after commander wrote them, so that nothing of its own is lost. */
export function helpLayout(cli: Cli): HelpConfiguration {
  return {
    subcommandTerm: (command) => command.name(),
    styleTitle: (title) => cli.printer.paint.bold(title),
    formatHelp(command, helper) {
      const sections = Help.prototype.formatHelp.call(helper, command, helper).trimEnd().split("\n\n");
      return `${sections.sort((a, b) => rank(a) - rank(b)).join("\n\n")}\n`;
    },
  };
}

function rank(section: string): number {
  const title = Bun.stripANSI(section.split("\n", 1)[0] ?? "");
  if (title === globalHeading) return 2;
  return title.startsWith("Options") ? 1 : 0;
}
