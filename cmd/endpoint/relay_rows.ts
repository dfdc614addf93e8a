/** What the relay of the context says of endpoints, for `gc endpoint list`. That it is away is no failure of a
 * listing. */
import { existsSync } from "node:fs";
import { checkRecord } from "../../core/access/principal.ts";
import { currentContext } from "../../core/config/context.ts";
import { rememberEndpoints } from "../../core/config/known.ts";
import { messageOf } from "../../core/errors.ts";
import type { EndpointRow } from "../../core/schema/relay_message.ts";
import type { Cli } from "../cli.ts";

export interface RelayRows {
  /** Name of the context. */
  readonly relay: string;
  readonly rows: readonly EndpointRow[];
}

const patience_ms = 5000;

/**
 * The endpoints that this person may see at the relay, and remembers their names. None, with a word on standard error,
 * when the relay does not answer; none, without a word, when it is this machine's own and was not started.
 */
export async function askRelay(cli: Cli): Promise<RelayRows> {
  const { name: relay, address } = currentContext(cli.home, cli.env, cli.context);
  if (address.kind === "unix" && !existsSync(address.path)) return { relay, rows: [] };
  const { TaskDesk } = await import("../task_desk.ts");
  const desk = new TaskDesk(cli, false);
  try {
    await desk.connected(patience_ms);
    const rows = (await desk.client.endpoints()).map((row) => ({ ...row, record: checkRecord(row.record) }));
    rememberEndpoints(cli.home, relay, rows);
    return { relay, rows };
  } catch (error) {
    cli.printer.warn(`Only endpoints of this home folder are listed: ${messageOf(error)}`);
    return { relay, rows: [] };
  } finally {
    desk.close();
  }
}
