/**
 * How a caller of the HTTP API proves who it is: it asks for a challenge, signs it as in a session's `auth`, and gets a
 * token that is good for a quarter of an hour. Challenges are used once; tokens are kept only as hashes, in memory.
 */
import { hash } from "node:crypto";
import { GcError } from "../errors.ts";
import type { Clock, Random } from "../host/host.ts";
import { type Hello, protocolRange } from "../schema/session_message.ts";

const challengeFor_ms = 60_000;
const tokenFor_ms = 15 * 60_000;
const openMax = 1000;

export interface Caller {
  readonly id: string;
  readonly no: number;
  readonly kind: "user" | "endpoint";
}

export class Challenges {
  private readonly clock: Pick<Clock, "monotonic">;
  private readonly random: Random;
  private readonly nonces = new Map<string, number>();
  private readonly tokens = new Map<string, { caller: Caller; until_ms: number }>();

  constructor(clock: Pick<Clock, "monotonic">, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** A nonce to sign; good for a minute. */
  challenge(): string {
    const nonce = Buffer.from(this.random.bytes(32)).toString("hex");
    forgetOldest(this.nonces);
    this.nonces.set(nonce, this.clock.monotonic() + challengeFor_ms);
    return nonce;
  }

  /**
   * The hello that a caller signed with this nonce, which is used up.
   * @throws GcError permission `auth.no_challenge`.
   */
  take(nonce: string, relay_id: string): Hello {
    const until_ms = this.nonces.get(nonce);
    this.nonces.delete(nonce);
    if (until_ms === undefined || until_ms < this.clock.monotonic()) {
      throw new GcError("permission", "auth.no_challenge", "The challenge is not one of this relay, or is too old");
    }
    return { t: "hello", proto: [...protocolRange], nonce, id: relay_id, software: "" };
  }

  token(caller: Caller): { token: string; expires_in_s: number } {
    const token = Buffer.from(this.random.bytes(32)).toString("base64url");
    forgetOldest(this.tokens);
    this.tokens.set(hashOf(token), { caller, until_ms: this.clock.monotonic() + tokenFor_ms });
    return { token, expires_in_s: tokenFor_ms / 1000 };
  }

  /** Who holds this token; undefined when it is none, or no longer. */
  holder(token: string): Caller | undefined {
    const found = this.tokens.get(hashOf(token));
    return found !== undefined && found.until_ms >= this.clock.monotonic() ? found.caller : undefined;
  }

  /** A removed principal's tokens are worth nothing from now on. */
  revoke(id: string): void {
    for (const [key, { caller }] of this.tokens) if (caller.id === id) this.tokens.delete(key);
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size < openMax) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

function hashOf(token: string): string {
  return hash("sha256", token, "hex");
}
