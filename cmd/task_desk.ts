/**
 * What every command about tasks begins with: a client of the relay that the context names, the outbox, and the
 * endpoint that the person means. When the relay is this home folder's own and does not run, it is started.
 */
import { localContext } from "../core/config/context.ts";
import { GcError, messageOf } from "../core/errors.ts";
import { defaultEndpoint, ensureDefaultConfigured, ensureOnline, ensureRelay } from "../core/submit/autostart.ts";
import type { Client, Fate } from "../core/submit/client.ts";
import { type FoundEndpoint, lookupEndpoint } from "../core/submit/endpoint_lookup.ts";
import { type OpenClient, openClient } from "../core/submit/open_client.ts";
import type { Cli } from "./cli.ts";

/** Seconds that a command gives a relay to come up before it says that it is away, unless GC_RELAY_WAIT says
 * otherwise. */
const patience_s = 10;

export class TaskDesk {
  readonly cli: Cli;
  readonly client: Client;
  readonly outbox: OpenClient["outbox"];
  readonly context: OpenClient["context"];
  private starting: Promise<void> | undefined;
  private startFailure: GcError | undefined;

  /** Begins to connect. `start`: a relay of this home folder that was never started may be started for this command. */
  constructor(cli: Cli, start: boolean) {
    this.cli = cli;
    const open = openClient(cli.home, cli.host, cli.context);
    this.client = open.client;
    this.outbox = open.outbox;
    this.context = open.context;
    if (this.isLocal && start && this.mayStart) this.client.onTrouble.add(() => this.startRelay());
    this.outbox.sweep(cli.host.clock.now());
  }

  /** GC_AUTOSTART=0: nothing is started in the background. */
  private get mayStart(): boolean {
    return this.cli.env.GC_AUTOSTART !== "0";
  }

  /** How long the person waits for a relay that is away. */
  get patience_ms(): number {
    const said = Number(this.cli.env.GC_RELAY_WAIT || patience_s);
    return (said >= 0 ? said : patience_s) * 1000;
  }

  get isLocal(): boolean {
    return this.context.name === localContext;
  }

  /** The endpoint that `said`, GC_ENDPOINT or the default means; the default one is configured when it is missing. */
  async endpoint(said: string | undefined): Promise<FoundEndpoint> {
    const name = said ?? (this.cli.env.GC_ENDPOINT || undefined);
    if (name === undefined && !this.isLocal) {
      throw new GcError("usage", "endpoint.not_named", "Name the endpoint that is to run it", {
        hint: "gc endpoint list",
      });
    }
    if (name === undefined) return ensureDefaultConfigured(this.cli.home, this.cli.host);
    const { home } = this.cli;
    const lookup = lookupEndpoint(name, { home, context: this.context.name, client: this.client });
    // Only a name that nothing here knows needs the relay; then its absence is the answer.
    return Promise.race([lookup, this.relayGone()]);
  }

  /** Whether this endpoint is started by itself when it does not run. */
  startsItself(endpoint: FoundEndpoint): boolean {
    return this.mayStart && this.isLocal && endpoint.own && endpoint.name === defaultEndpoint;
  }

  /** Sees to it that a default endpoint runs; others are left alone. False when it is another one and not online. */
  async seeOnline(endpoint: FoundEndpoint): Promise<boolean> {
    const [row] = await this.client.endpoints({ id: endpoint.record.id });
    if (row?.online === true) return true;
    if (!this.startsItself(endpoint)) return false;
    if (this.cli.terminal.stderr) this.cli.printer.note("starting the local endpoint");
    await ensureOnline(this.cli.home, this.cli.host, this.client, endpoint);
    return true;
  }

  /**
   * Resolves when the relay can be talked to.
   * @param limit_ms waits at most so long, however patient the person is.
   * @throws GcError why it cannot, when it has waited; at once for what does not heal by waiting.
   */
  connected(limit_ms = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.client.up) return Promise.resolve();
    const wait_ms = Math.min(limit_ms, this.patience_ms);
    const { client } = this;
    const { clock } = this.cli.host;
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        stopTimer();
        client.onUp.delete(up);
        client.onTrouble.delete(trouble);
        then();
      };
      const up = (): void => settle(resolve);
      const trouble = (reason: GcError): void => {
        if (reason.kind !== "unavailable") settle(() => reject(reason));
      };
      const stopTimer = clock.after(wait_ms, () => settle(() => reject(this.away())));
      client.onUp.add(up);
      client.onTrouble.add(trouble);
    });
  }

  /**
   * What became of an envelope that was handed over: its fate, or why the relay is away when it stays away; the
   * envelope then waits in the outbox.
   */
  async settled(fate: Promise<Fate>): Promise<Fate | GcError> {
    const { putOff, stop } = this.putOff();
    try {
      for (;;) {
        const away = this.connected().then(
          () => undefined,
          (error: GcError) => error,
        );
        const first = await Promise.race([fate, putOff, away]);
        if (first !== undefined) return first;
        const then = await Promise.race([fate, putOff, this.nextTrouble()]);
        if (then !== undefined) return then;
      }
    } finally {
      stop();
    }
  }

  /**
   * Resolves when a relay that is there wants to be asked again later than this person waits, because its disk is full,
   * say. Until then the tasks wait in the outbox.
   */
  putOff(): { putOff: Promise<GcError>; stop(): void } {
    const { onTrouble, trouble } = this.client;
    let told = (_reason: GcError): void => {};
    const putOff = new Promise<GcError>((resolve) => {
      told = (reason) => {
        if (this.client.up && (reason.retry_after_ms ?? 0) > this.patience_ms) resolve(reason);
      };
    });
    if (trouble !== undefined) told(trouble);
    onTrouble.add(told);
    return { putOff, stop: () => void onTrouble.delete(told) };
  }

  private nextTrouble(): Promise<undefined> {
    return new Promise((resolve) => {
      const { onTrouble } = this.client;
      const told = (): void => {
        onTrouble.delete(told);
        resolve(undefined);
      };
      onTrouble.add(told);
    });
  }

  /** Why the relay is not reached, as an error for the person. */
  away(): GcError {
    const why = this.startFailure ?? this.client.trouble;
    const said = why === undefined ? "it does not answer" : why.message;
    return new GcError("unavailable", "relay.away", `The relay "${this.context.name}" is not reached: ${said}`, {
      hint: this.isLocal ? "gc relay status" : "gc context list",
      ...(why === undefined ? {} : { cause: why }),
    });
  }

  close(): void {
    this.client.close();
  }

  private async relayGone(): Promise<never> {
    await this.connected();
    return new Promise<never>(() => {});
  }

  private startRelay(): void {
    this.starting ??= ensureRelay(this.cli.home, this.cli.host)
      .then(() => this.client.retryNow())
      .catch((error: unknown) => {
        this.startFailure =
          error instanceof GcError ? error : new GcError("unavailable", "relay.not_started", messageOf(error));
        this.cli.host.log.info("the relay could not be started", { why: messageOf(error) });
      });
  }
}
