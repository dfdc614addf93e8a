/**
 * Who may connect to a relay. Whoever comes over the Unix socket runs as the same user on the same machine and is
 * enrolled without a question; over TCP a stranger needs an invite, which is used up in the very transaction that adds
 * the newcomer. Whoever was removed stays out, with or without an invite.
 */
import { hashInviteSecret, type Invite, inviteSecretFits, makeInvite, readInviteToken } from "../access/invite.ts";
import { GcError, messageOf } from "../errors.ts";
import type { Clock, Random } from "../host/host.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { Auth, Hello } from "../schema/session_message.ts";
import { checkPrincipalProof, type Origin, type Peer } from "../wire/link.ts";
import type { Mailbox, Principal } from "./mailbox.ts";

/** What `gc relay invite` asks for. */
export interface InviteAsk {
  role: "user" | "endpoint";
  ttl_ms: number;
  uses: number;
  name: string | undefined;
}

/** An invite is good for a week at most (reliability-security.md §2.3). */
export const inviteTtlMax_ms = 7 * 24 * 3600 * 1000;

export class Access {
  private readonly mailbox: Mailbox;
  private readonly clock: Pick<Clock, "now">;

  constructor(mailbox: Mailbox, clock: Pick<Clock, "now">) {
    this.mailbox = mailbox;
    this.clock = clock;
  }

  /**
   * Lets a peer in that proves who it is.
   * @throws GcError permission `auth.*`, `key.*`, `relay.removed`, `relay.not_enrolled`, `invite.*`.
   */
  admit(auth: Auth, hello: Hello, from: Origin): Peer {
    if (auth.role === "worker") {
      throw new GcError("permission", "auth.wrong_role", "A relay is no place for workers");
    }
    const record = checkPrincipalProof(auth, hello);
    this.enrol(auth, record, from);
    return {
      role: auth.role,
      id: record.id,
      record,
      instance: auth.instance,
      local: from.local,
      ...(auth.name === undefined ? {} : { name: auth.name }),
    };
  }

  /** The principal by whose record an HTTP caller proved itself. @throws as `admit`. */
  admitCaller(auth: Auth, hello: Hello, from: Origin): Principal {
    const peer = this.admit(auth, hello, from);
    const known = this.mailbox.principal(peer.id);
    if (known === undefined) throw notEnrolled(peer.id);
    return known;
  }

  /** Makes an invite; only its hash is kept. */
  invite(ask: InviteAsk, about: Omit<Invite, "id" | "secret" | "role">, random: Random): Invite {
    const invite = makeInvite({ ...about, role: ask.role }, random);
    const expires_ms = this.clock.now() + Math.min(ask.ttl_ms, inviteTtlMax_ms);
    const { role, uses, name } = ask;
    const secret_hash = hashInviteSecret(invite.secret);
    this.atOnce(() => {
      this.mailbox.stage({ kind: "put_invite", invite: { id: invite.id, secret_hash, role, name, uses, expires_ms } });
    });
    return invite;
  }

  /**
   * Takes a principal off the list for good. Its sessions are closed by whoever calls.
   * @throws GcError missing `principal.unknown`.
   */
  remove(id: string): Principal {
    const known = this.mailbox.principal(id);
    if (known === undefined)
      throw new GcError("missing", "principal.unknown", `Nobody with the id "${id}" is known here`);
    if (known.removed_ms !== undefined) return known;
    this.atOnce(() => this.mailbox.stage({ kind: "remove", no: known.no, at_ms: this.clock.now() }));
    return known;
  }

  private enrol(auth: Auth, record: KeyRecord, from: Origin): void {
    const known = this.mailbox.principal(record.id);
    if (known?.removed_ms !== undefined) {
      throw new GcError("permission", "relay.removed", `The ${record.kind} ${record.id} was removed from this relay`);
    }
    const enrolled = known?.enrolled_ms !== undefined;
    if (enrolled && !isNewer(record, known)) return;
    const invite = enrolled || from.local ? undefined : this.invited(auth, record);
    this.atOnce(() => {
      if (invite !== undefined) this.mailbox.stage({ kind: "use_invite", id: invite.id });
      const no = this.mailbox.principalNo(record.id, record.kind as Principal["kind"]);
      const name = auth.name ?? invite?.name ?? known?.name ?? "";
      this.mailbox.stage({ kind: "enrol", no, record: JSON.stringify(record), name, at_ms: this.clock.now() });
    });
  }

  private invited(auth: Auth, record: KeyRecord): { id: string; name: string | undefined } {
    const token = auth.invite === undefined ? undefined : readInviteToken(auth.invite);
    if (token === undefined) throw notEnrolled(record.id);
    const invite = this.mailbox.invite(token.id);
    if (invite === undefined || !inviteSecretFits(token.secret, invite.secret_hash)) {
      throw refusedInvite("invite.unknown", "This relay never made that invite");
    }
    if (invite.uses < 1) throw refusedInvite("invite.used", "The invite was used already");
    if (invite.expires_ms <= this.clock.now()) throw refusedInvite("invite.expired", "The invite has expired");
    if (invite.role !== record.kind) {
      throw refusedInvite("invite.wrong_role", `The invite is for a ${invite.role}, not for a ${record.kind}`);
    }
    return invite;
  }

  /** A transaction of its own, between two turns. */
  private atOnce(stage: () => void): void {
    try {
      stage();
      this.mailbox.commit();
    } catch (cause) {
      this.mailbox.rollback();
      throw new GcError("temporary", "storage_full", `The relay cannot write: ${messageOf(cause)}`, { cause });
    }
  }
}

/** Whether a record replaces the one that is kept: its sealing key was rotated. */
function isNewer(record: KeyRecord, known: Principal): boolean {
  if (known.record === undefined) return true;
  return record.seq > (JSON.parse(known.record) as KeyRecord).seq;
}

function notEnrolled(id: string): GcError {
  return new GcError("permission", "relay.not_enrolled", `This relay does not know ${id}; joining needs an invite`, {
    hint: "gc login INVITE",
  });
}

function refusedInvite(code: string, message: string): GcError {
  return new GcError("permission", code, message, { hint: "ask for a new one: gc relay invite" });
}
