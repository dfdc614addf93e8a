/**
 * Invites: one line of text with which a person joins a relay, as a user or with an endpoint. It pins the relay's key
 * and certificate, so nothing has to be believed on first sight. Good for one use within its time; the relay keeps only
 * a hash of the secret (`relay/` looks it up by `id` and strikes it out in the transaction that adds the newcomer).
 *
 *     gcj1.<base64url of {"url", "relay_id", "cert_sha256"?, "id", "secret", "role"}>
 */
import { hash, timingSafeEqual } from "node:crypto";
import { GcError } from "../errors.ts";
import type { Random } from "../host/host.ts";
import type { Invite } from "../schema/identity.ts";
import { fits } from "../schema/validate.ts";
import { toBase64url } from "./keys.ts";

export type { Invite } from "../schema/identity.ts";

const prefix = "gcj1.";
/** An invite is below 3,000 characters; what is pasted may be anything. */
const textMax = 8192;

/** A new invite. Whoever makes it stores `hashInviteSecret(invite.secret)` under `invite.id`. */
export function makeInvite(about: Omit<Invite, "id" | "secret">, random: Random): Invite {
  const id = Buffer.from(random.bytes(8)).toString("hex");
  return { ...about, id, secret: toBase64url(random.bytes(16)) };
}

/** The line to hand over. Secret: never in argv, environment or a log. */
export function formatInvite(invite: Invite): string {
  return prefix + Buffer.from(JSON.stringify(invite)).toString("base64url");
}

/**
 * Reads what a person pasted; white space around and line breaks inside do no harm.
 * @throws GcError data `invite.malformed`; the message does not repeat the text.
 */
export function parseInvite(text: string): Invite {
  const line = text.length > textMax ? "" : text.replace(/\s+/g, "");
  if (!line.startsWith(prefix)) throw malformed('It begins with "gcj1."');
  let invite: unknown;
  try {
    invite = JSON.parse(Buffer.from(line.slice(prefix.length), "base64url").toString("utf8"));
  } catch {
    throw malformed("Part of it seems to be missing");
  }
  if (!fits("invite", invite)) throw malformed("Part of it seems to be missing");
  return invite;
}

/** What the newcomer sends as `auth.invite`: `<id>.<secret>`. */
export function inviteToken(invite: Pick<Invite, "id" | "secret">): string {
  return `${invite.id}.${invite.secret}`;
}

/** Takes an `auth.invite` apart; undefined when it cannot be one. */
export function readInviteToken(token: string): { id: string; secret: string } | undefined {
  const parts = /^([0-9a-f]{16})\.([A-Za-z0-9_-]{22})$/.exec(token);
  if (parts?.[1] === undefined || parts[2] === undefined) return undefined;
  return { id: parts[1], secret: parts[2] };
}

/** What the relay keeps of a secret. No salt and no stretching: it has 128 random bits. */
export function hashInviteSecret(secret: string): string {
  return hash("sha256", `gc-invite-v1\0${secret}`, "hex");
}

/** Whether `secret` is the one of which `stored` is the hash; takes the same time for every wrong one. */
export function inviteSecretFits(secret: string, stored: string): boolean {
  const expected = Buffer.from(stored, "hex");
  const actual = Buffer.from(hashInviteSecret(secret), "hex");
  return expected.byteLength === actual.byteLength && timingSafeEqual(expected, actual);
}

function malformed(what: string): GcError {
  const message = `This is not a whole invite. ${what}`;
  return new GcError("data", "invite.malformed", message, { hint: "gc relay invite" });
}
