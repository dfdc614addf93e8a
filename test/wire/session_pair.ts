/** Two sessions and the bytes between them, for tests of the session without sockets. */
import { expect } from "bun:test";
import type { GcError } from "../../core/errors.ts";
import type { Auth, Hello } from "../../core/schema/session_message.ts";
import { encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { checkHello, signHello } from "../../core/wire/proof.ts";
import { type AcceptorSide, type OpenerSide, Session, type SessionEffect } from "../../core/wire/session.ts";
import { newIdentity, newUser, openRelay } from "./parties.ts";

export const relay = newIdentity("relay");
export const timing = { auth_ms: 10_000, ping_ms: 20_000, silence_ms: 60_000 };

export function acceptorSide(admit?: (auth: Auth) => never): AcceptorSide {
  const nonce = "ab".repeat(32);
  const acceptor = openRelay(relay);
  const hello: Hello = {
    t: "hello",
    proto: [1, 1],
    nonce,
    id: relay.id,
    record: relay.record,
    sig: signHello((bytes) => relay.sign(bytes), nonce, relay.id),
    software: "gc/test",
  };
  return {
    kind: "acceptor",
    hello,
    epoch: "e",
    session: "s",
    features: ["live"],
    limits: { window: 3 },
    time_ms: 5,
    admit: admit ?? ((auth) => acceptor.admit(auth, hello, { local: true, remote: "unix" })),
  };
}

export function openerSide(wanted_relay: string | undefined = relay.id): OpenerSide {
  return {
    kind: "opener",
    ...newUser(),
    software: "gc/test",
    local: true,
    check: (hello) => checkHello(hello, wanted_relay),
  };
}

/** Two sessions and the bytes between them. */
export class Pair {
  readonly out = { opener: [] as SessionEffect[], acceptor: [] as SessionEffect[] };
  readonly opener: Session;
  readonly acceptor: Session;
  now_ms = 1000;

  constructor(
    opener: OpenerSide,
    acceptor: AcceptorSide,
    ranges: { opener?: [number, number]; acceptor?: [number, number] } = {},
  ) {
    this.opener = new Session(opener, this.now_ms, timing, ranges.opener);
    this.acceptor = new Session(acceptor, this.now_ms, timing, ranges.acceptor);
    this.acceptor.start(this.out.acceptor);
    this.opener.start(this.out.opener);
    this.carry();
  }

  /** Carries what was sent until nobody says anything more; the effects stay, for looking at. */
  carry(): void {
    const at = { opener: 0, acceptor: 0 };
    for (let moved = true; moved; ) {
      moved = false;
      for (const from of ["opener", "acceptor"] as const) {
        const to = from === "opener" ? "acceptor" : "opener";
        while (at[from] < this.#sent(from).length) {
          const messages = this.#sent(from)[at[from]++] as Frameable[];
          this[to].message(encodeFrame(messages), this.now_ms, this.out[to]);
          moved = true;
        }
      }
    }
    for (const side of ["opener", "acceptor"] as const) {
      this.out[side] = this.out[side].map((effect) =>
        effect.kind === "send" ? { kind: "send", messages: [] } : effect,
      );
    }
  }

  #sent(side: "opener" | "acceptor"): Frameable[][] {
    return this.out[side].flatMap((effect) =>
      effect.kind === "send" && effect.messages.length > 0 ? [effect.messages] : [],
    );
  }

  kinds(side: "opener" | "acceptor"): string[] {
    return this.out[side].map((effect) => effect.kind).filter((kind) => kind !== "send");
  }

  closeOf(side: "opener" | "acceptor"): { code: number; error: GcError } {
    const close = this.out[side].find((effect) => effect.kind === "close");
    if (close?.kind !== "close") throw new Error(`The ${side} did not close`);
    return close;
  }
}

export function sendsOf(out: readonly SessionEffect[]): Frameable[] {
  return out.flatMap((effect) => (effect.kind === "send" ? effect.messages : []));
}

/** A session that is up, with what it says collected in `out`. */
export function upSession(side: "opener" | "acceptor"): { session: Session; out: SessionEffect[]; now_ms: number } {
  const pair = new Pair(openerSide(), acceptorSide());
  expect(pair[side].up).toBe(true);
  return { session: pair[side], out: [], now_ms: pair.now_ms };
}
