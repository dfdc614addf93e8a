/**
 * Questions to a person (the only importer of @clack/prompts). Asked on standard error, so that standard output stays
 * the answer; and only where somebody can answer: without a terminal the library would wait for ever (DESIGN §10).
 */
import { GcError } from "../core/errors.ts";
import type { Cli } from "./cli.ts";
import { QuietEnd } from "./quiet_end.ts";

export interface TextQuestion {
  message: string;
  /** Taken when the answer is empty. */
  initial?: string;
  /** What is wrong with an answer, or undefined. */
  check?: (answer: string) => string | undefined;
}

export interface Prompts {
  text(question: TextQuestion): Promise<string>;
  secret(message: string): Promise<string>;
  confirm(message: string, initial: boolean): Promise<boolean>;
  choose(message: string, options: { value: string; hint?: string }[], initial?: string): Promise<string>;
}

/**
 * The means to ask.
 * @param instead what to type so that nothing has to be asked, for the error.
 * @throws GcError usage `prompt.no_terminal` when nobody can answer.
 */
export async function openPrompts(cli: Cli, what: string, instead: string): Promise<Prompts> {
  if (!cli.interactive) {
    throw new GcError("usage", "prompt.no_terminal", `${what}, and there is no terminal to ask on`, { hint: instead });
  }
  const clack = await import("@clack/prompts");
  const output = process.stderr;
  const answered = <T>(answer: T): Exclude<T, symbol> => {
    if (clack.isCancel(answer)) throw new QuietEnd(130, "The question was not answered");
    return answer as Exclude<T, symbol>;
  };
  return {
    async text({ message, initial, check }) {
      const validate = (value: string | undefined) =>
        check?.(value === undefined || value === "" ? (initial ?? "") : value);
      const fallback = initial === undefined ? {} : { defaultValue: initial, placeholder: initial };
      return answered(await clack.text({ message, validate, output, ...fallback })) ?? "";
    },
    async secret(message) {
      return answered(await clack.password({ message, output }));
    },
    async confirm(message, initial) {
      return answered(await clack.confirm({ message, initialValue: initial, output }));
    },
    async choose(message, options, initial) {
      const from = options.map(({ value, hint }) => ({ value, label: value, ...(hint === undefined ? {} : { hint }) }));
      const start = initial === undefined ? {} : { initialValue: initial };
      return answered(await clack.select({ message, options: from, output, ...start }));
    },
  };
}
