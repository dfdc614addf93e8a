/**
 * HTTP of a relay: health, certificate, installation and the JSON API (docs/API.md). What an operator may do
 * (`/admin/…`) is only there on the Unix socket, whose folder lets nobody else in.
 */
import type { Identity } from "../access/principal.ts";
import { type ErrorKind, exitCodeByKind, GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import type { Auth } from "../schema/session_message.ts";
import { parse } from "../schema/validate.ts";
import { isId } from "../task/id.ts";
import type { Origin } from "../wire/link.ts";
import type { Access } from "./access.ts";
import type { Admin } from "./admin.ts";
import { listEndpoints, listEnvelopes } from "./asking.ts";
import type { Caller, Challenges } from "./challenges.ts";
import { installText, isPlainUrl, type Program, sumsOf } from "./program.ts";
import { RateBook } from "./rate.ts";
import type { Service } from "./service.ts";

export interface HttpParts {
  readonly service: Service;
  readonly access: Access;
  readonly admin: Admin;
  readonly challenges: Challenges;
  readonly identity: Identity;
  readonly epoch: string;
  readonly cert_pem: string | undefined;
  /** Where people reach the relay; otherwise what they wrote into the Host header. */
  readonly public_url: string | undefined;
  readonly program: Program | undefined;
  readonly host: Host;
}

/** HTTP status of each kind of error. */
const statusByKind: { readonly [K in ErrorKind]: number } = {
  usage: 400,
  data: 422,
  missing: 404,
  unavailable: 503,
  internal: 500,
  cannot_create: 500,
  io: 500,
  temporary: 429,
  protocol: 400,
  permission: 403,
  config: 500,
};

const bodyBytesMax = 64 * 1024;

export class Http {
  private readonly parts: HttpParts;
  private readonly rates: RateBook;

  constructor(parts: HttpParts) {
    this.parts = parts;
    const { limits } = parts.service.state.desk;
    this.rates = new RateBook(limits.request_burst, limits.requests_per_10_s);
  }

  async answer(request: Request, from: Origin): Promise<Response> {
    try {
      if (!URL.canParse(request.url)) throw new GcError("usage", "http.bad_host", "The Host header is not a host");
      return await this.route(request, from, new URL(request.url));
    } catch (error) {
      return this.failed(error);
    }
  }

  private async route(request: Request, from: Origin, url: URL): Promise<Response> {
    const path = url.pathname;
    if (path.startsWith("/admin/")) {
      if (!from.local) throw noSuchPage(path);
      return json(await this.parts.admin.answer(request.method, path, await bodyOf(request)));
    }
    if (request.method === "POST" && path === "/v1/session") return this.session(from, await bodyOf(request));
    if (request.method !== "GET" && request.method !== "HEAD") {
      return json({ error: { code: "http.method", message: `${request.method} is not understood here` } }, 405);
    }
    if (path === "/healthz" || path === "/v1/health") return this.health();
    if (path === "/cert.pem" && this.parts.cert_pem !== undefined) return text(this.parts.cert_pem);
    if (path === "/install.sh") return text(installText(this.baseUrl(request, url)));
    if (path === "/v1/challenge") return json({ nonce: this.parts.challenges.challenge(), id: this.parts.identity.id });
    if (path.startsWith("/v1/")) return this.api(path, url, this.caller(request, from));
    const file = await this.download(path);
    if (file === undefined) throw noSuchPage(path);
    return file;
  }

  private health(): Response {
    const { desk } = this.parts.service.state;
    const { identity, epoch, host } = this.parts;
    return json({ ok: true, id: identity.id, epoch, time_ms: host.clock.now(), storage_full: desk.storage_full });
  }

  private async download(path: string): Promise<Response | undefined> {
    const { program } = this.parts;
    if (program === undefined) return undefined;
    const { platform } = program;
    if (path === "/gc/SHA256SUMS" || path === "/SHA256SUMS") return text(await sumsOf(program));
    if (path !== `/gc/gc-${platform}` && path !== `/gc/${platform}`) return undefined;
    return new Response(Bun.file(program.path), { headers: { "content-type": "application/octet-stream" } });
  }

  /** Where the asker reaches this relay: what the operator said, else what the asker wrote. */
  private baseUrl(request: Request, url: URL): string {
    const scheme = this.parts.cert_pem === undefined ? "http" : "https";
    const said = this.parts.public_url ?? `${scheme}://${request.headers.get("host") ?? url.host}`;
    const base = said.replace(/\/+$/, "");
    if (isPlainUrl(base)) return base;
    throw new GcError("usage", "http.bad_host", "The Host header is not a host");
  }

  private async session(from: Origin, body: unknown): Promise<Response> {
    const auth = parse("auth", body, "proof") as Auth;
    const nonce = (body as { nonce?: unknown }).nonce;
    const hello = this.parts.challenges.take(typeof nonce === "string" ? nonce : "", this.parts.identity.id);
    const { id, no, kind } = this.parts.access.admitCaller(auth, hello, from);
    return json(this.parts.challenges.token({ id, no, kind }));
  }

  /** Who calls; undefined on the Unix socket without a token, where everything may be seen. */
  private caller(request: Request, from: Origin): Caller | undefined {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const caller = bearer === undefined ? undefined : this.parts.challenges.holder(bearer);
    if (caller === undefined) {
      if (from.local && bearer === undefined) return undefined;
      throw new GcError("permission", "auth.no_token", "A token is needed", {
        hint: "GET /v1/challenge, see docs/API.md",
      });
    }
    const wait_ms = from.local ? 0 : this.rates.take(caller.id, this.parts.host.clock.monotonic());
    if (wait_ms === 0) return caller;
    throw new GcError("temporary", "relay.rate_limited", "Too many requests", { retry_after_ms: wait_ms });
  }

  private api(path: string, url: URL, caller: Caller | undefined): Response {
    const { desk } = this.parts.service.state;
    const ask = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
    if (path === "/v1/endpoints") {
      const [id, prefix] = [ask("id"), ask("prefix")];
      const wanted = { ...(id === undefined ? {} : { id: idIn(id) }), ...(prefix === undefined ? {} : { prefix }) };
      return json({ rows: listEndpoints({ ...desk, at: this.parts.service.moment() }, wanted, caller?.id) });
    }
    const one = /^\/v1\/envelopes\/([^/]+)$/.exec(path)?.[1];
    if (path !== "/v1/envelopes" && one === undefined) throw noSuchPage(path);
    const user = ask("user");
    // Nobody has the number 0.
    const sender = caller?.no ?? (user === undefined ? undefined : (desk.mailbox.findPrincipal(idIn(user)) ?? 0));
    const mine = sender === undefined ? {} : { sender };
    if (one !== undefined) {
      const [row] = listEnvelopes(desk.mailbox, { ...mine, limit: 1, envelopes: [idIn(one)] }).rows;
      if (row === undefined) throw new GcError("missing", "envelope.unknown", `There is no task envelope ${one}`);
      return json(row);
    }
    const limit = Math.min(1000, Math.max(1, Math.trunc(Number(ask("limit") ?? 100)) || 100));
    const [before, group, prefix, unfinished] = [ask("before"), ask("group"), ask("prefix"), ask("unfinished")];
    if (prefix !== undefined && !/^[0-9a-f-]{1,36}$/.test(prefix)) throw badId(prefix);
    const query = {
      ...mine,
      limit,
      ...(before === undefined ? {} : { before: Number(before) || 0 }),
      ...(group === undefined ? {} : { group: idIn(group) }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(unfinished === undefined ? {} : { unfinished: unfinished !== "false" }),
    };
    return json(listEnvelopes(desk.mailbox, query));
  }

  private failed(error: unknown): Response {
    if (!(error instanceof GcError)) {
      this.parts.host.log.error("relay.http_failed", { why: messageOf(error) });
      return json({ error: { code: "internal", message: "The relay has a bug; its log says more" } }, 500);
    }
    const { code, message, hint, retry_after_ms, kind } = error;
    const status = code === "auth.no_token" ? 401 : code === "storage_full" ? 507 : statusByKind[kind];
    const headers = retry_after_ms === undefined ? {} : { "retry-after": String(Math.ceil(retry_after_ms / 1000)) };
    const exit_code = exitCodeByKind[kind];
    return json({ error: { kind, code, message, hint, retry_after_ms, exit_code } }, status, headers);
  }
}

/** The JSON in a request's body; undefined when there is none. */
async function bodyOf(request: Request): Promise<unknown> {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  if (Number(request.headers.get("content-length") ?? 0) > bodyBytesMax) throw tooLarge();
  const body = await request.text();
  if (body.length > bodyBytesMax) throw tooLarge();
  if (body === "") return undefined;
  try {
    return JSON.parse(body);
  } catch {
    throw new GcError("data", "http.not_json", "The body of the request is not JSON");
  }
}

function idIn(text: string): string {
  if (isId(text)) return text;
  throw badId(text);
}

function badId(text: string): GcError {
  return new GcError("usage", "id.malformed", `"${text}" is not an id`);
}

function noSuchPage(path: string): GcError {
  return new GcError("missing", "http.not_found", `There is nothing at "${path}"`);
}

function tooLarge(): GcError {
  return new GcError("usage", "http.too_large", `The body of the request is larger than ${bodyBytesMax} bytes`);
}

function json(value: unknown, status = 200, headers: { [name: string]: string } = {}): Response {
  const all = { "content-type": "application/json", "cache-control": "no-store", ...headers };
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: all });
}

function text(content: string): Response {
  return new Response(content, {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
