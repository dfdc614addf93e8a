/** `gc __endpoint NAME`: the daemon of one endpoint. Its log goes to standard error, which its starter points at a
 * file. */
import * as fs from "node:fs";
import { openHome } from "../../core/config/home.ts";
import { GcError, messageOf } from "../../core/errors.ts";
import { formatLine } from "../../core/host/log.ts";
import { endpointHere } from "../endpoint_process.ts";

export async function role(args: string[]): Promise<number> {
  const write = (line: string): void => {
    fs.writeSync(2, `${line}\n`);
  };
  try {
    return await endpointHere(openHome(process.env), args[0] ?? "", write);
  } catch (error) {
    const hint = error instanceof GcError ? error.hint : undefined;
    write(formatLine(Date.now(), "error", "endpoint.cannot_start", { reason: messageOf(error), hint }));
    return 1;
  }
}
