/** What lies beside the mailbox in a relay's folder: its keys, its certificate and how it is run. Made at the first
 * start. */
import * as fs from "node:fs";
import { fingerprintOf, makeCertificate } from "../access/certificate.ts";
import { type Identity, makeIdentity, openIdentity } from "../access/principal.ts";
import type { RelayPaths } from "../config/home.ts";
import { GcError } from "../errors.ts";
import { makePrivateDir, readJsonIfThere, readTextIfThere, writeDurable, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { createOnce, readPrivate } from "../host/private_file.ts";
import type { RelayConfig } from "../schema/relay_config.ts";
import { parse } from "../schema/validate.ts";
import { defaultLimits, type RelayLimits } from "./limits.ts";

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly sha256: string;
}

/** The relay's own principal; the first call ever makes one. */
export function loadRelayIdentity(paths: RelayPaths, host: Pick<Host, "random">): Identity {
  makePrivateDir(paths.dir);
  if (!fs.existsSync(paths.key))
    createOnce(paths.key, `${JSON.stringify(makeIdentity("relay", host.random), null, 2)}\n`);
  const bytes = readPrivate(paths.key);
  if (bytes === undefined) throw new GcError("io", "relay.no_key", `The key file "${paths.key}" vanished`);
  return openIdentity(parse("identity_file", JSON.parse(Buffer.from(bytes).toString()), `key file "${paths.key}"`));
}

/** The relay's own certificate; the first call ever makes one. Invites name it, so it stays. */
export async function loadCertificate(paths: RelayPaths, host: Host): Promise<Certificate> {
  const cert = readTextIfThere(paths.cert);
  const key = readPrivate(paths.cert_key);
  if (cert !== undefined && key !== undefined) {
    return { cert, key: Buffer.from(key).toString(), sha256: fingerprintOf(cert) };
  }
  const made = await makeCertificate(host.clock.now(), host.random);
  writeDurable(paths.cert_key, made.key_pem, 0o600);
  writeDurable(paths.cert, made.cert_pem, 0o600);
  return { cert: made.cert_pem, key: made.key_pem, sha256: made.sha256 };
}

/** How this relay is run. @throws GcError `data.invalid`. */
export function readRelayConfig(paths: RelayPaths): RelayConfig {
  const file = readJsonIfThere(paths.config);
  return file === undefined ? { v: 1 } : parse("relay_config", file, `file "${paths.config}"`);
}

export function writeRelayConfig(paths: RelayPaths, config: RelayConfig): void {
  makePrivateDir(paths.dir);
  writeJson(paths.config, parse("relay_config", config, "configuration of the relay"));
}

const mib = 1024 * 1024;

export function limitsOf(config: RelayConfig): RelayLimits {
  const said = config.limits ?? {};
  return {
    requests_per_10_s: said.requests_per_10_s ?? defaultLimits.requests_per_10_s,
    request_burst: said.request_burst ?? defaultLimits.request_burst,
    time_to_live_ms: said.time_to_live_s === undefined ? defaultLimits.time_to_live_ms : said.time_to_live_s * 1000,
    free_bytes_min: said.free_mib_min === undefined ? freeBytesMin(config) : said.free_mib_min * mib,
  };
}

/** One person's own relay goes on where a disk of many people would count as full. */
function freeBytesMin(config: RelayConfig): number {
  return config.listen === undefined ? 128 * mib : defaultLimits.free_bytes_min;
}

/** A relay for many people keeps more back than the one that a first `gc run` starts in somebody's home folder. */
export function ballastBytes(config: RelayConfig): number {
  return (config.limits?.ballast_mib ?? (config.listen === undefined ? 8 : 64)) * mib;
}

/** HOST:PORT in two. @throws GcError usage `relay.listen_malformed`. */
export function parseListen(text: string): { hostname: string; port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text);
  const hostname = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (hostname === undefined || port > 65535) {
    throw new GcError("usage", "relay.listen_malformed", `"${text}" is not HOST:PORT`, {
      hint: "gc relay up --listen 0.0.0.0:7443",
    });
  }
  return { hostname, port };
}
