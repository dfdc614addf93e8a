/** `gc __relay`: the relay of this home folder. Its log goes to standard error, which its starter points at a file. */
import * as fs from "node:fs";
import { openHome } from "../../core/config/home.ts";
import { exitCodeByKind, GcError, messageOf } from "../../core/errors.ts";
import { formatLine } from "../../core/host/log.ts";
import { relayHere } from "../relay_process.ts";

export async function role(_args: string[]): Promise<number> {
  const write = (line: string): void => {
    fs.writeSync(2, `${line}\n`);
  };
  try {
    return await relayHere(openHome(process.env), write);
  } catch (error) {
    const hint = error instanceof GcError ? error.hint : undefined;
    write(formatLine(Date.now(), "error", "relay.cannot_run", { reason: messageOf(error), hint }));
    return exitCodeByKind[error instanceof GcError ? error.kind : "internal"];
  }
}
