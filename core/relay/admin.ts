/** What the operator of a relay may do while it runs: `/admin/…` on its Unix socket, asked by `gc relay …`. */
import { formatInvite } from "../access/invite.ts";
import { GcError } from "../errors.ts";
import type { Host } from "../host/host.ts";
import type { Access } from "./access.ts";
import type { Challenges } from "./challenges.ts";
import type { Principal } from "./mailbox.ts";
import type { Service } from "./service.ts";
import type { SqliteMailbox } from "./sqlite_mailbox.ts";

/** `GET /admin/status`, and `gc relay status --json`. */
export interface RelayStatus {
  readonly id: string;
  readonly epoch: string;
  readonly pid: number;
  readonly host: string;
  readonly since_ms: number;
  readonly data_dir: string;
  readonly socket: string;
  readonly listen: string | undefined;
  readonly url: string | undefined;
  readonly connected: { readonly users: number; readonly endpoints: number };
  readonly envelopes: number;
  readonly queued: number;
  readonly news: number;
  readonly letters: number;
  readonly storage_full: boolean;
  readonly free_bytes: number;
  readonly rss_bytes: number;
}

/** One line of `gc relay users list`. */
export interface PrincipalShown {
  readonly id: string;
  readonly role: Principal["kind"];
  readonly name: string;
  readonly enrolled_ms: number;
  readonly seen_ms: number;
  readonly removed_ms?: number;
  readonly connected: boolean;
}

export interface AdminParts {
  readonly service: Service;
  readonly access: Access;
  readonly challenges: Challenges;
  readonly mailbox: SqliteMailbox;
  readonly host: Host;
  /** What an invite says of this relay; undefined when nobody can reach it from elsewhere. */
  readonly reachable: { readonly url: string; readonly relay_id: string; readonly cert_sha256?: string } | undefined;
  status(): RelayStatus;
  stop(): void;
}

export class Admin {
  private readonly parts: AdminParts;

  constructor(parts: AdminParts) {
    this.parts = parts;
  }

  /** @throws GcError as the action does; missing `http.not_found`. */
  answer(method: string, path: string, body: unknown): object {
    const asked = (typeof body === "object" && body !== null ? body : {}) as { [key: string]: unknown };
    switch (`${method} ${path}`) {
      case "GET /admin/status":
        return this.parts.status();
      case "GET /admin/users":
        return { users: this.users() };
      case "POST /admin/users/remove":
        return this.remove(String(asked.id ?? ""));
      case "POST /admin/invite":
        return this.invite(asked);
      case "POST /admin/share":
        return { shared: this.parts.mailbox.share(asked.shared === true) };
      case "POST /admin/backup":
        this.parts.mailbox.backupTo(String(asked.file ?? ""));
        return { file: asked.file };
      case "POST /admin/stop":
        this.parts.stop();
        return { stopping: true };
      default:
        throw new GcError("missing", "http.not_found", `There is nothing at "${path}"`);
    }
  }

  private users(): PrincipalShown[] {
    const { mailbox, service } = this.parts;
    const connected = new Set([...service.state.desk.sessions.values()].map(({ link }) => link.peer.id));
    return [...mailbox.principals("user"), ...mailbox.principals("endpoint")].map((principal) => ({
      id: principal.id,
      role: principal.kind,
      name: principal.name,
      enrolled_ms: principal.enrolled_ms ?? 0,
      seen_ms: principal.seen_ms,
      ...(principal.removed_ms === undefined ? {} : { removed_ms: principal.removed_ms }),
      connected: connected.has(principal.id),
    }));
  }

  private remove(prefix: string): object {
    const found = this.users().filter(({ id, name }) => prefix !== "" && (id.startsWith(prefix) || name === prefix));
    const [one, another] = found;
    if (one === undefined) {
      const message = `Nobody with the id or name "${prefix}" is known here`;
      throw new GcError("missing", "principal.unknown", message, { hint: "gc relay users list" });
    }
    if (another !== undefined) {
      throw new GcError("usage", "principal.ambiguous", `More than one id begins with "${prefix}"`, {
        hint: "gc relay users list",
      });
    }
    this.parts.access.remove(one.id);
    this.parts.challenges.revoke(one.id);
    this.parts.service.push({ kind: "removed", id: one.id });
    return { removed: one.id, name: one.name };
  }

  private invite(asked: { [key: string]: unknown }): object {
    const { access, reachable, host } = this.parts;
    const { role, ttl_ms, uses, name } = asked;
    if (role !== "user" && role !== "endpoint") {
      throw new GcError("usage", "invite.role", "An invite is for a user or for an endpoint");
    }
    if (reachable === undefined) {
      const message = "This relay listens on its Unix socket only: nobody elsewhere could use an invite";
      throw new GcError("usage", "relay.not_reachable", message, { hint: "gc relay up --listen HOST:PORT" });
    }
    const ask = {
      role,
      ttl_ms: typeof ttl_ms === "number" && ttl_ms > 0 ? ttl_ms : 3_600_000,
      uses: typeof uses === "number" && uses >= 1 ? Math.trunc(uses) : 1,
      name: typeof name === "string" ? name.slice(0, 64) : undefined,
    } as const;
    const invite = access.invite(ask, reachable, host.random);
    return {
      invite: formatInvite(invite),
      id: invite.id,
      expires_ms: host.clock.now() + ask.ttl_ms,
      ...ask,
      ...reachable,
    };
  }
}
