/**
 * Who is who. A user, an endpoint or a relay holds an Ed25519 key to sign and an X25519 key to be sealed to; its id is
 * the hash of the first and of what it is. So an id is the pin: whoever was given the right id cannot be given a wrong
 * key by anybody in between, and nobody is asked "continue?". Never reads or writes a file.
 */
import { type KeyObject, sign as signBytes, verify as verifyBytes } from "node:crypto";
import { GcError } from "../errors.ts";
import type { Random } from "../host/host.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { IdentityFile } from "../schema/identity.ts";
import { parse } from "../schema/validate.ts";
import { hashUuid, type PrincipalId } from "../task/id.ts";
import { fromBase64url, privateKey, publicBytesOf, publicKey, toBase64url, weakness } from "./keys.ts";
import { RecentMap } from "./recent.ts";

export type { KeyRecord } from "../schema/envelope.ts";
export type { IdentityFile } from "../schema/identity.ts";
export type PrincipalKind = "user" | "endpoint" | "relay";

/** A principal that this process can act as. */
export interface Identity {
  readonly record: KeyRecord;
  readonly id: PrincipalId;
  /** Ed25519 signature of `bytes`, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** X25519 private key, 32 bytes. Secret; for `Opener` alone. */
  readonly enc_key: Uint8Array;
}

/** The id of the principal of this kind with this signing key (32 bytes). */
export function principalId(kind: PrincipalKind, sign_pub: Uint8Array): PrincipalId {
  return hashUuid(`gc-${kind}-v1`, sign_pub) as PrincipalId;
}

/** Makes a new principal. */
export function makeIdentity(kind: PrincipalKind, random: Random): IdentityFile {
  const signSecret = random.bytes(32);
  const encSecret = random.bytes(32);
  const signKey = privateKey("Ed25519", signSecret);
  const signPublic = publicBytesOf(signKey);
  const unsigned = {
    kind,
    id: principalId(kind, signPublic) as string,
    sign_pub: toBase64url(signPublic),
    enc_pub: toBase64url(publicBytesOf(privateKey("X25519", encSecret))),
    seq: 0,
  };
  const record: KeyRecord = { ...unsigned, sig: toBase64url(signBytes(null, recordBytes(unsigned), signKey)) };
  return { v: 1, record, sign_key: toBase64url(signSecret), enc_key: toBase64url(encSecret) };
}

/**
 * Makes a stored principal ready to act. `file` is an IdentityFile, unchecked; `what` names it in errors.
 * @throws GcError data when it is none; `key.*` when its record is bad, or its private keys are not the record's.
 */
export function openIdentity(file: unknown, what = "identity file"): Identity {
  const { record: said, sign_key, enc_key } = parse("identity_file", file, what);
  const signSecret = fromBase64url(sign_key, 32);
  const encSecret = fromBase64url(enc_key, 32);
  if (signSecret === undefined || encSecret === undefined) throw mismatch(checkRecord(said));
  const signKey = privateKey("Ed25519", signSecret);
  const signPublic = publicBytesOf(signKey);
  // Ed25519 is deterministic (RFC 8032): what the key signs anew is what it signed then, and costs less than a proof.
  const same = principalId(said.kind, signPublic) === said.id && toBase64url(signPublic) === said.sign_pub;
  const own = same && toBase64url(signBytes(null, recordBytes(said), signKey)) === said.sig;
  const record = own ? Object.freeze({ ...said }) : checkRecord(said);
  if (toBase64url(signPublic) !== record.sign_pub) throw mismatch(record);
  if (toBase64url(publicBytesOf(privateKey("X25519", encSecret))) !== record.enc_pub) throw mismatch(record);
  return {
    record,
    id: record.id as PrincipalId,
    sign: (bytes) => signBytes(null, bytes, signKey),
    enc_key: new Uint8Array(encSecret),
  };
}

/**
 * Proves a record: its id is the hash of its signing key, that key signed the other fields, and neither key is weak.
 * Records seen before cost five string comparisons.
 * @returns a frozen copy.
 * @throws GcError permission `key.malformed`, `key.weak`, `key.wrong_id` or `key.bad_signature`.
 */
export function checkRecord(record: unknown): KeyRecord {
  return checkedRecord(record).record;
}

/** Whether `sig` is the signature of `bytes` by the principal of `record`. A bad record never signed anything. */
export function verifySignature(record: KeyRecord, bytes: Uint8Array, sig: Uint8Array): boolean {
  if (sig.byteLength !== 64) return false;
  let checked: Checked;
  try {
    checked = checkedRecord(record);
  } catch (error) {
    if (error instanceof GcError) return false;
    throw error;
  }
  return verifyBytes(null, bytes, checked.key, sig);
}

interface Checked {
  readonly record: KeyRecord;
  readonly key: KeyObject;
}

/**
 * Records that were proved, by signature: a pure function's memory, not state. An entry answers only for a record that
 * equals the proved one in every field.
 */
const proved = new RecentMap<string, Checked>(2048);

function checkedRecord(record: unknown): Checked {
  const sig = typeof record === "object" && record !== null && "sig" in record ? record.sig : undefined;
  const known = typeof sig === "string" ? proved.get(sig) : undefined;
  if (known !== undefined && equal(known.record, record as KeyRecord)) return known;
  const checked = prove(record);
  proved.set(checked.record.sig, checked);
  return checked;
}

function equal(a: KeyRecord, b: KeyRecord): boolean {
  return (
    a.sig === b.sig &&
    a.id === b.id &&
    a.sign_pub === b.sign_pub &&
    a.enc_pub === b.enc_pub &&
    a.seq === b.seq &&
    a.kind === b.kind
  );
}

function prove(said: unknown): Checked {
  let record: KeyRecord;
  try {
    record = Object.freeze({ ...parse("key_record", said, "key record") });
  } catch (cause) {
    throw refused("key.malformed", "The key record is not valid", cause);
  }
  const sign = fromBase64url(record.sign_pub, 32);
  const enc = fromBase64url(record.enc_pub, 32);
  const sig = fromBase64url(record.sig, 64);
  if (sign === undefined || enc === undefined || sig === undefined) {
    throw refused("key.malformed", `The key record of ${record.id} is not spelt canonically`);
  }
  const weak = weakness("Ed25519", sign) ?? weakness("X25519", enc);
  if (weak !== undefined) throw refused("key.weak", `The key record of ${record.id} has a key that is ${weak}`);
  if (principalId(record.kind, sign) !== record.id) {
    throw refused("key.wrong_id", `The key sent for ${record.kind} ${record.id} is not its key`);
  }
  const key = publicKey("Ed25519", sign);
  if (!verifyBytes(null, recordBytes(record), key, sig)) {
    throw refused("key.bad_signature", `The key record of ${record.id} is not signed by its own key`);
  }
  return { record, key };
}

/** What a record's signature covers. No field can contain the separator. */
function recordBytes(record: Omit<KeyRecord, "sig">): Buffer {
  const { kind, id, sign_pub, enc_pub, seq } = record;
  return Buffer.from(["gc-key-record-v1", kind, id, sign_pub, enc_pub, seq].join("\0"));
}

function refused(code: string, message: string, cause?: unknown): GcError {
  return new GcError("permission", code, message, { cause });
}

function mismatch(record: KeyRecord): GcError {
  return new GcError("data", "key.mismatch", `The private keys stored for ${record.id} are not those of its record`);
}
