/**
 * A relay's own certificate, for when no public authority vouches for it. It is trusted because the invite named its
 * fingerprint, never because of who issued it: clients give it as the only authority (`tls.ca`) and expect the name
 * "gc-relay". That is the one way of pinning that this runtime honours (reliability-security.md §0.8).
 */
import { X509Certificate } from "node:crypto";
import type { Random } from "../host/host.ts";

/** The name in the certificate, and the `serverName` that clients ask for. */
export const certificateName = "gc-relay";

/** A certificate with its key, in PEM. The key is secret. */
export interface OwnCertificate {
  cert_pem: string;
  key_pem: string;
  /** Fingerprint: sha256 of the certificate's DER bytes, hexadecimal. */
  sha256: string;
}

const day_ms = 24 * 3600 * 1000;
const validFor_ms = 3650 * day_ms;
/** Clients whose clock is behind must be able to connect. */
const validBefore_ms = 30 * day_ms;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Makes a key and its certificate, good for ten years. P-256, because every TLS library and proxy speaks it. */
export async function makeCertificate(now_ms: number, random: Random): Promise<OwnCertificate> {
  await import("reflect-metadata"); // The next one needs it. Both only here: they cost 10 ms.
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const serial = Buffer.from(random.bytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // Positive, and of one length.
  const usages = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial.toString("hex"),
    name: `CN=${certificateName}`,
    notBefore: new Date(now_ms - validBefore_ms),
    notAfter: new Date(now_ms + validFor_ms),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usages.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: certificateName }]),
    ],
  });
  const cert_pem = `${certificate.toString("pem")}\n`;
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const lines = key.match(/.{1,64}/g) ?? [];
  const key_pem = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
  return { cert_pem, key_pem, sha256: fingerprintOf(cert_pem) };
}

/**
 * Fingerprint of a certificate (PEM or DER): sha256, lowercase hexadecimal.
 * @throws when it is no certificate.
 */
export function fingerprintOf(certificate: string | Uint8Array): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase();
}
