/** A pinned certificate is trusted, and no other is. */
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { certificateName, fingerprintOf, makeCertificate } from "../../core/access/certificate.ts";
import { seeded } from "./people.ts";

const now_ms = Date.parse("2026-11-25T12:00:00Z");
const mine = await makeCertificate(now_ms, seeded("certificate"));
const other = await makeCertificate(now_ms, seeded("other"));

describe("makeCertificate()", () => {
  test("is a server's certificate for gc-relay, good for ten years and for clocks that are behind", () => {
    const certificate = new X509Certificate(mine.cert_pem);
    expect(certificate.checkHost(certificateName)).toBe("gc-relay");
    expect(certificate.checkHost("localhost")).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(now_ms - 24 * 3600_000);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(now_ms + 3649 * 24 * 3600_000);
    expect(certificate.publicKey.asymmetricKeyType).toBe("ec");
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  test("has a fingerprint that names it, from PEM and from DER", () => {
    expect(mine.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(mine.sha256).not.toBe(other.sha256);
    expect(fingerprintOf(new X509Certificate(mine.cert_pem).raw)).toBe(mine.sha256);
  });

  test("lets a client in that trusts it alone, and keeps one out that trusts another", async () => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: mine.cert_pem, key: mine.key_pem },
      fetch: () => new Response("hello"),
    });
    try {
      const ask = (ca: string | undefined, serverName: string): Promise<Response> =>
        fetch(`https://127.0.0.1:${server.port}/`, { tls: { ...(ca && { ca }), serverName }, proxy: false } as never);
      expect(await (await ask(mine.cert_pem, certificateName)).text()).toBe("hello");
      await expect(ask(other.cert_pem, certificateName)).rejects.toThrow();
      await expect(ask(undefined, certificateName)).rejects.toThrow();
      await expect(ask(mine.cert_pem, "elsewhere")).rejects.toThrow();
    } finally {
      await server.stop(true);
    }
  });
});
