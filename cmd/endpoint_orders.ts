/**
 * Talking to a running endpoint: its status, and its owner's orders. Through the relay, so that it works from any
 * machine; on the endpoint's own machine by signals too, so that it works when the relay is away.
 */
import { currentContext } from "../core/config/context.ts";
import { loadEndpointConfig } from "../core/config/endpoint_config.ts";
import { findOwnEndpoint, type OwnEndpointFolder } from "../core/config/endpoint_folder.ts";
import { loadEndpointKey } from "../core/config/identity.ts";
import { GcError } from "../core/errors.ts";
import { readLease } from "../core/host/lease.ts";
import { alive, signal } from "../core/host/processes.ts";
import type { KeyRecord } from "../core/schema/envelope.ts";
import type { Done, Order, StatusAnswer } from "../core/schema/live_message.ts";
import type { Cli } from "./cli.ts";
import { TaskDesk } from "./task_desk.ts";

/** Time for an answer from an endpoint that the relay says is connected. */
const answerWithin_ms = 10_000;
const relayWithin_ms = 5000;

/** An endpoint that a person named: by a folder of this home, or only known through the relay. */
export interface NamedEndpoint {
  name: string;
  record: KeyRecord;
  folder: OwnEndpointFolder | undefined;
}

/** A conversation with one endpoint. */
export class EndpointTalk {
  readonly endpoint: NamedEndpoint;
  private readonly desk: TaskDesk;

  private constructor(desk: TaskDesk, endpoint: NamedEndpoint) {
    this.desk = desk;
    this.endpoint = endpoint;
  }

  /**
   * Finds the endpoint and connects to the relay it works for.
   * @throws GcError missing `endpoint.unknown`, unavailable `relay.away`.
   */
  static async begin(cli: Cli, said: string): Promise<EndpointTalk> {
    const folder = ownFolder(cli, said);
    const config = folder === undefined ? undefined : loadEndpointConfig(folder.paths.config);
    const context = cli.context ?? config?.relay;
    const desk = new TaskDesk(context === undefined ? cli : withContext(cli, context), false);
    try {
      await desk.connected(relayWithin_ms);
      if (folder !== undefined) {
        const { record } = loadEndpointKey(folder.paths.key).identity;
        return new EndpointTalk(desk, { name: folder.name, record, folder });
      }
      const { name, record } = await desk.endpoint(said);
      return new EndpointTalk(desk, { name, record, folder });
    } catch (error) {
      desk.close();
      throw error;
    }
  }

  /** How it is; why not when it does not say. */
  async status(): Promise<StatusAnswer | "offline" | "forbidden"> {
    const { client } = this.desk;
    const { record } = this.endpoint;
    client.prepare(record);
    const answer = await client.ask(record, { t: "ask_status" }, answerWithin_ms);
    if (answer === "forbidden" || answer === "slow") return "forbidden";
    if (typeof answer === "string") return "offline";
    return answer.t === "answer_status" ? answer : "offline";
  }

  /**
   * Gives an order.
   * @throws GcError unavailable `endpoint.offline`, permission `endpoint.order_refused`.
   */
  async order(what: Order["what"], more: Pick<Order, "blocks"> = {}): Promise<Done> {
    const status = await this.status();
    const { name, record } = this.endpoint;
    if (typeof status === "string") {
      const message = `The endpoint "${name}" does not answer (${status})`;
      throw new GcError("unavailable", "endpoint.offline", message, { hint: `gc endpoint status ${name}` });
    }
    const order = { t: "order", boot: status.boot, what, ...more } as const;
    const answer = await this.desk.client.ask(record, order, answerWithin_ms);
    if (typeof answer === "string" || answer.t !== "done") {
      throw new GcError("unavailable", "endpoint.offline", `The endpoint "${name}" did not answer the order`);
    }
    if (!answer.ok) throw new GcError("permission", "endpoint.order_refused", answer.message, { hint: "gc whoami" });
    return answer;
  }

  end(): void {
    this.desk.close();
  }
}

/** The folder of this home that `said` means, if it means one. */
export function ownFolder(cli: Cli, said: string): OwnEndpointFolder | undefined {
  try {
    return findOwnEndpoint(cli.home, cli.host, said);
  } catch (error) {
    if (error instanceof GcError && error.code === "endpoint.unknown") return undefined;
    throw error;
  }
}

/** Whether its process lives on this machine; then its pid. */
export function pidHere(cli: Cli, folder: OwnEndpointFolder): number | undefined {
  const holder = readLease(folder.paths.lease);
  if (holder === undefined || holder.host !== cli.host.hostname || !alive(holder)) return undefined;
  return holder.pid;
}

/** Waits until its process on this machine has ended; false after `within_ms`. */
export async function ended(cli: Cli, folder: OwnEndpointFolder, within_ms: number): Promise<boolean> {
  const { clock } = cli.host;
  const deadline = clock.monotonic() + within_ms;
  while (pidHere(cli, folder) !== undefined) {
    if (clock.monotonic() > deadline) return false;
    await new Promise<void>((resolve) => clock.after(10, resolve));
  }
  return true;
}

/** Sends a signal to its process on this machine; false when there is none. */
export function signalHere(cli: Cli, folder: OwnEndpointFolder, name: "SIGINT" | "SIGTERM" | "SIGUSR1"): boolean {
  const pid = pidHere(cli, folder);
  return pid !== undefined && signal(pid, name);
}

/** The same command line, talking to the relay of another context. */
function withContext(cli: Cli, context: string): Cli {
  currentContext(cli.home, cli.env, context);
  return Object.create(cli, { context: { value: context } }) as Cli;
}
