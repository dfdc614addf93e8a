/** A client as commands use it: this home folder's user, at the relay of a context, with the outbox of this folder. */
import { currentContext } from "../config/context.ts";
import type { Home } from "../config/home.ts";
import { loadIdentity } from "../config/identity.ts";
import type { Host } from "../host/host.ts";
import { keepLink, principalSelf } from "../wire/link.ts";
import { Client } from "./client.ts";
import { newUuid } from "./composer.ts";
import { Outbox } from "./outbox.ts";

/** A client, its outbox and the context it talks to. */
export interface OpenClient {
  readonly client: Client;
  readonly outbox: Outbox;
  readonly context: ReturnType<typeof currentContext>;
}

/** Begins to connect to the relay of the context that `flag` or the environment names. */
export function openClient(home: Home, host: Host, flag: string | undefined): OpenClient {
  const context = currentContext(home, host.env, flag);
  const identity = loadIdentity(home, host);
  const outbox = new Outbox(home, context.name);
  const self = principalSelf(identity, { instance: newUuid(host.random) });
  const connect = (events: Parameters<typeof keepLink>[2]) => keepLink(context.address, self, events, host);
  return { client: new Client({ identity, host, store: outbox, context: context.name, connect }), outbox, context };
}
