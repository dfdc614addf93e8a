/** The people of the wire tests: a relay, a user, a worker's endpoint, and a host that keeps quiet. */
import { makeIdentity, openIdentity } from "../../core/access/principal.ts";
import type { GcError } from "../../core/errors.ts";
import type { Host, Log } from "../../core/host/host.ts";
import { realHost } from "../../core/host/real_host.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import {
  type Acceptor,
  checkPrincipalProof,
  checkWorkerProof,
  type Link,
  type LinkEvents,
  type Peer,
  principalSelf,
} from "../../core/wire/link.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The real world without a log, and without proxies. */
export function quietHost(env: { [name: string]: string } = {}): Host {
  return { ...realHost(silent), env };
}

const random = quietHost().random;

/** A new principal of each kind. */
export function newIdentity(kind: "user" | "endpoint" | "relay") {
  return openIdentity(makeIdentity(kind, random));
}

/** A new user as an opener. */
export function newUser(invite?: string) {
  return principalSelf(newIdentity("user"), { instance: "one", ...(invite === undefined ? {} : { invite }) });
}

/** A relay that lets in everybody who proves to be who he says. */
export function openRelay(relay = newIdentity("relay"), over: Partial<Acceptor> = {}): Acceptor {
  return {
    id: relay.id,
    record: relay.record,
    sign: (bytes) => relay.sign(bytes),
    epoch: "epoch-1",
    limits: { window: 64 },
    features: ["live"],
    admit(auth, hello, from): Peer {
      const record = checkPrincipalProof(auth, hello);
      return { role: auth.role, id: auth.id, record, instance: auth.instance, local: from.local };
    },
    ...over,
  };
}

/** An endpoint that lets in workers that know `secret`. */
export function workerDoor(secret: string): Acceptor {
  return {
    id: "endpoint-1",
    epoch: "boot-1",
    limits: {},
    features: [],
    admit(auth, hello, from): Peer {
      checkWorkerProof(auth, hello, secret);
      return { role: "worker", id: auth.id, instance: auth.instance, local: from.local };
    },
  };
}

/** Link events that can be awaited. `answer` is what a receiver sends back for each batch. */
export class Witness implements LinkEvents {
  readonly ups: Link[] = [];
  readonly received: Frameable[] = [];
  readonly downs: { link: Link | undefined; reason: GcError }[] = [];
  readonly waits: { delay_ms: number; reason: GcError }[] = [];
  /** How many times `messages` was called. */
  batches = 0;
  #changed: (() => void)[] = [];

  readonly #answer: ((link: Link, messages: Frameable[]) => void) | undefined;

  constructor(answer?: (link: Link, messages: Frameable[]) => void) {
    this.#answer = answer;
  }

  up(link: Link): void {
    this.ups.push(link);
    this.#notify();
  }

  messages(link: Link, messages: Frameable[]): void {
    this.received.push(...messages);
    this.batches += 1;
    this.#answer?.(link, messages);
    this.#notify();
  }

  down(link: Link | undefined, reason: GcError): void {
    this.downs.push({ link, reason });
    this.#notify();
  }

  waiting(delay_ms: number, reason: GcError): void {
    this.waits.push({ delay_ms, reason });
    this.#notify();
  }

  /** Resolves once `holds` is true; fails loudly after 10 s. */
  async until(holds: (witness: this) => boolean, what: string): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!holds(this)) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`Waited 10 s in vain for: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const wake of changed) wake();
  }
}

/** Sends every batch back. */
export const echo = (link: Link, messages: Frameable[]): void => link.send(messages);
