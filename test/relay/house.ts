/** A relay that really runs, in this process, in a folder of its own; and people who connect to it over sockets. */
import { afterEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inviteToken, parseInvite } from "../../core/access/invite.ts";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { type Home, openHome } from "../../core/config/home.ts";
import { GcError } from "../../core/errors.ts";
import { realClock } from "../../core/host/clock.ts";
import type { Host } from "../../core/host/host.ts";
import { realRandom } from "../../core/host/random.ts";
import { type Relay, startRelay } from "../../core/relay/server.ts";
import type { RelayConfig } from "../../core/schema/relay_config.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { type Address, type Link, openLink, principalSelf } from "../../core/wire/link.ts";
import { Person } from "./town.ts";

export interface House {
  readonly home: Home;
  readonly host: Host;
  readonly logged: string[];
  relay: Relay;
  /** Where the relay is over TCP, pinned. */
  remote(): Promise<Address>;
  admin<T>(method: "GET" | "POST", path: string, body?: object): Promise<T>;
  /** Stops the relay and starts it again, on the same folder. */
  again(config?: RelayConfig): Promise<void>;
  close(): Promise<void>;
}

export async function openHouse(config: Omit<RelayConfig, "v"> = {}, synchronous?: "FULL" | "OFF"): Promise<House> {
  const dir = mkdtempSync(join(tmpdir(), "gc-house-"));
  const home = openHome({ GC_HOME: join(dir, "home") });
  const logged: string[] = [];
  const note = (event: string, fields: object = {}): void => void logged.push(`${event} ${JSON.stringify(fields)}`);
  const host: Host = {
    clock: realClock(),
    random: realRandom(),
    log: { debug() {}, info: note, warn: note, error: note },
    env: {},
    hostname: "testhost",
  };
  const small = { ...config, limits: { ballast_mib: 1, ...config.limits } };
  const start = (with_config: RelayConfig): Promise<Relay> =>
    startRelay(
      {
        paths: home.relay,
        socket: home.socket("relay"),
        config: with_config,
        ...(synchronous === undefined ? {} : { synchronous }),
      },
      host,
    );
  const house: House = {
    home,
    host,
    logged,
    relay: await start({ v: 1, ...small }),
    async remote() {
      const url = `wss://127.0.0.1:${house.relay.port}`;
      const response = await fetch(`https://127.0.0.1:${house.relay.port}/cert.pem`, {
        tls: { rejectUnauthorized: false },
      });
      return { kind: "url", url, ca_pem: await response.text(), relay_id: house.relay.id };
    },
    async admin(method, path, body) {
      const response = await fetch(`http://relay/admin/${path}`, {
        unix: home.socket("relay"),
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = await response.json();
      if (!response.ok) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer;
    },
    async again(with_config = { v: 1, ...small }) {
      await house.relay.stop();
      house.relay = await start(with_config);
    },
    async close() {
      await house.relay.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return house;
}

/** Somebody connected over a socket. */
export class Caller extends Person {
  private readonly waiting: (() => void)[] = [];

  static async connect(
    house: House,
    identity: Identity,
    options: { address?: Address; invite?: string; name?: string } = {},
  ): Promise<Caller> {
    const caller = new Caller(identity);
    const address = options.address ?? { kind: "unix", path: house.home.socket("relay") };
    const self = principalSelf(identity, {
      instance: "test",
      ...(options.invite === undefined ? {} : { invite: options.invite }),
      ...(options.name === undefined ? {} : { name: options.name }),
    });
    const wake = (): void => {
      for (const each of caller.waiting.splice(0)) each();
    };
    caller.link = await openLink(
      address,
      self,
      {
        up() {},
        messages(_link: Link, messages: Frameable[]) {
          caller.heard.push(...messages);
          wake();
        },
        down(_link, reason) {
          caller.closed = reason.message;
          wake();
        },
      },
      house.host,
    );
    return caller;
  }

  /** The next message of this kind. */
  async next<M extends Frameable>(t: M["t"]): Promise<M> {
    for (;;) {
      const found = this.heard.findIndex((message) => message.t === t);
      if (found >= 0) return this.heard.splice(found, 1)[0] as M;
      if (this.closed !== undefined) throw new Error(`Closed: ${this.closed}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Resolves when the link is down, to the reason. */
  async end(): Promise<string> {
    while (this.closed === undefined) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.closed;
  }
}

export function somebody(kind: "user" | "endpoint"): Identity {
  return openIdentity(makeIdentity(kind, realRandom()));
}

/** Where a house listens that is to be reached over TCP. */
export const onTcp = { listen: "127.0.0.1:0" };

/** Opens houses for the tests of one file, each closed when its test is over. */
export function housesOfTests(): typeof openHouse {
  let houses: House[] = [];
  afterEach(async () => {
    for (const each of houses) await each.close();
    houses = [];
  });
  return async (...options) => {
    const made = await openHouse(...options);
    houses.push(made);
    return made;
  };
}

/** What an attempt is refused with. */
export async function refusal(attempt: Promise<unknown>): Promise<GcError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof GcError) return error;
    throw error;
  }
  throw new Error("It was not refused");
}

/** What a newcomer sends who was given an invite. */
export async function invite(h: House, ask: object = { role: "user" }): Promise<string> {
  const made = await h.admin<{ invite: string }>("POST", "invite", ask);
  return inviteToken(parseInvite(made.invite));
}
