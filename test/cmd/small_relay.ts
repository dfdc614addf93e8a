/** As much of a relay as joining needs: a certificate, a key, and one invite that is good for one use. */
import { makeCertificate, type OwnCertificate } from "../../core/access/certificate.ts";
import { formatInvite, inviteToken, makeInvite } from "../../core/access/invite.ts";
import { makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { GcError } from "../../core/errors.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import { checkPrincipalProof, type Listening, listen } from "../../core/wire/link.ts";

const host = realHost(
  createLog(
    () => {},
    "error",
    () => 0,
  ),
);

/** A relay on loopback, over TLS, with its own certificate. */
export class SmallRelay {
  readonly identity = openIdentity(makeIdentity("relay", host.random));
  /** Ids that were let in by an invite. */
  readonly enrolled: string[] = [];
  /** What is served as certificate; a test may put another one here. */
  shown = "";
  private readonly certificate: OwnCertificate;
  private listening: Listening | undefined;
  private readonly unused = new Set<string>();

  private constructor(certificate: OwnCertificate) {
    this.certificate = certificate;
    this.shown = certificate.cert_pem;
  }

  static async start(): Promise<SmallRelay> {
    const relay = new SmallRelay(await makeCertificate(Date.now(), host.random));
    const tls = { key: relay.certificate.key_pem, cert: relay.certificate.cert_pem };
    relay.listening = await listen(
      { hostname: "127.0.0.1", port: 0, tls },
      {
        id: relay.identity.id,
        record: relay.identity.record,
        sign: (bytes) => relay.identity.sign(bytes),
        epoch: "1",
        limits: {},
        features: [],
        admit(auth, hello) {
          const record = checkPrincipalProof(auth, hello);
          const known = relay.enrolled.includes(record.id);
          if (!known && !relay.unused.delete(auth.invite ?? "")) {
            throw new GcError("permission", "invite.used", "The invite was used already", { hint: "gc relay invite" });
          }
          if (!known) relay.enrolled.push(record.id);
          const role = auth.role === "endpoint" ? "endpoint" : "user";
          return { role, id: record.id, record, instance: auth.instance, local: false };
        },
      },
      { up() {}, messages() {}, down() {} },
      host,
      (request) => {
        if (new URL(request.url).pathname === "/cert.pem") return new Response(relay.shown);
        return new Response("Not found\n", { status: 404 });
      },
    );
    return relay;
  }

  get url(): string {
    return `wss://127.0.0.1:${this.listening?.port}`;
  }

  /** The line of a new invite. */
  invite(role: "user" | "endpoint", changes: { cert_sha256?: string; relay_id?: string } = {}): string {
    const about = { url: this.url, relay_id: this.identity.id as string, cert_sha256: this.certificate.sha256, role };
    const invite = makeInvite({ ...about, ...changes }, host.random);
    this.unused.add(inviteToken(invite));
    return formatInvite(invite);
  }

  async stop(): Promise<void> {
    await this.listening?.close();
  }
}
