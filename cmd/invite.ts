/**
 * Joining a relay by an invite. The certificate is fetched without trust and kept only if it is the one that the invite
 * names; the secret is sent only to a relay that has proved the key that the invite names.
 */
import { fingerprintOf } from "../core/access/certificate.ts";
import { type Invite, inviteToken, parseInvite } from "../core/access/invite.ts";
import type { Identity } from "../core/access/principal.ts";
import type { ContextAddress } from "../core/config/context.ts";
import { GcError, messageOf } from "../core/errors.ts";
import { openLink, principalSelf } from "../core/wire/link.ts";
import type { Cli } from "./cli.ts";
import { openPrompts } from "./prompts.ts";

const certificateTimeout_ms = 15_000;
const certificateBytesMax = 64 * 1024;
const inviteBytesMax = 16 * 1024;

/**
 * The invite that a person gave: as an argument, on standard input (`-`, or when it is not a terminal), in
 * GC_JOIN_TOKEN, or on being asked.
 */
export async function readInvite(cli: Cli, argument: string | undefined, what: string): Promise<Invite> {
  if (argument !== undefined && argument !== "-") {
    cli.printer.warn("An invite on the command line can be read by every user of this machine; better: - and paste it");
    return parseInvite(argument);
  }
  if (argument === undefined && (cli.env.GC_JOIN_TOKEN ?? "") !== "") return parseInvite(cli.env.GC_JOIN_TOKEN ?? "");
  if (argument === undefined && cli.interactive) {
    const prompts = await openPrompts(cli, "An invite is needed", what);
    return parseInvite(await prompts.secret("Paste the invite (from gc relay invite)"));
  }
  const text = await readStdin();
  if (text.trim() !== "") return parseInvite(text);
  throw new GcError("usage", "invite.missing", "No invite was given, and standard input is empty", { hint: what });
}

/**
 * Enrols `identity` at the relay of the invite and resolves to the relay's address. Using the same invite again with
 * the same identity is refused or harmless, as the relay decides.
 * @throws GcError permission `relay.wrong_certificate` when the relay shows another certificate than the invite names.
 */
export async function enrol(
  cli: Cli,
  invite: Invite,
  identity: Identity,
  name: string | undefined,
): Promise<ContextAddress> {
  const address = await addressOf(cli, invite);
  const instance = Buffer.from(cli.host.random.bytes(16)).toString("hex");
  const who = principalSelf(identity, {
    instance,
    invite: inviteToken(invite),
    ...(name === undefined ? {} : { name }),
  });
  const link = await openLink(address, who, { up() {}, messages() {}, down() {} }, cli.host);
  link.close("enrolled");
  return address;
}

async function addressOf(cli: Cli, invite: Invite): Promise<ContextAddress> {
  const plain = { kind: "url", url: invite.url, relay_id: invite.relay_id } as const;
  if (invite.cert_sha256 === undefined) return plain;
  const ca_pem = await fetchCertificate(cli, invite.url);
  if (fingerprint(ca_pem) === invite.cert_sha256) return { ...plain, ca_pem };
  const what = `The relay at ${hostOf(invite.url)} shows another certificate than the invite names`;
  throw new GcError("permission", "relay.wrong_certificate", `${what}; somebody may be in between`, {
    hint: "ask for a new invite: gc relay invite",
  });
}

/** Fetched from whoever answers: worth nothing before its fingerprint is compared. No secret goes along. */
async function fetchCertificate(cli: Cli, url: string): Promise<string> {
  const target = new URL("/cert.pem", url.replace(/^ws/, "http"));
  cli.host.log.debug("invite.certificate", { url: target.href });
  try {
    const response = await fetch(target, {
      tls: { rejectUnauthorized: false },
      redirect: "error",
      signal: AbortSignal.timeout(certificateTimeout_ms),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const text = await response.text();
    if (text.length > certificateBytesMax) throw new Error("its certificate is too large");
    return text;
  } catch (cause) {
    const what = `Cannot reach the relay at ${target.host}: ${messageOf(cause)}`;
    throw new GcError("unavailable", "relay.unreachable", what, { hint: "gc doctor", cause });
  }
}

function fingerprint(pem: string): string | undefined {
  try {
    return fingerprintOf(pem);
  } catch {
    return undefined;
  }
}

function hostOf(url: string): string {
  return new URL(url).host;
}

async function readStdin(): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of Bun.stdin.stream()) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > inviteBytesMax) break;
    if (/\S\s*\n\s*$/.test(text) && text.trim().startsWith("gcj1.")) break;
  }
  return text;
}

/** A name for a new context: the first label of the relay's host, such as `gc` of gc.lab.edu, made a legal name. */
export function contextNameFor(invite: Invite): string {
  const { hostname } = new URL(invite.url);
  const label = /^[\d.]+$|:/.test(hostname) ? hostname : (hostname.split(".")[0] ?? "");
  const name = label.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "");
  return name === "" || name === "local" || name === "localhost" ? "relay" : name.slice(0, 64);
}
