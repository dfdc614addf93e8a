/** Parcels for tests, with heads that fit the schema but nothing behind their signatures. */
import { digestOf } from "../../core/envelope/envelope.ts";
import type { KeyRecord } from "../../core/schema/envelope.ts";
import type { Parcel } from "../../core/submit/parcel.ts";
import { type EnvelopeId, envelopeId, type PrincipalId } from "../../core/task/id.ts";

export const user = "11111111-1111-8111-8111-111111111111" as PrincipalId;
export const endpoint = "22222222-2222-8222-8222-222222222222" as PrincipalId;
export const stranger = "33333333-3333-8333-8333-333333333333" as PrincipalId;
export const group = "44444444-4444-4444-8444-444444444444";

export function recordOf(id: PrincipalId): KeyRecord {
  const key = "A".repeat(43);
  return { kind: "endpoint", id, sign_pub: key, enc_pub: key, seq: 0, sig: "A".repeat(86) };
}

export function idNumber(number: number): EnvelopeId {
  return envelopeId(user, number.toString(16).padStart(32, "0"));
}

export function parcel(number: number, more: Partial<Parcel["head"]> = {}): Parcel {
  const envelope = new TextEncoder().encode(`envelope ${number}`);
  return {
    head: {
      t: "parcel",
      v: 1,
      id: idNumber(number),
      endpoint: recordOf(endpoint),
      context: "local",
      group,
      count: 1,
      digest: digestOf(envelope),
      created_ms: 1000 + number,
      expires_ms: 1_000_000,
      size: envelope.byteLength,
      title: `task ${number}`,
      ...more,
    },
    envelope,
    base: {},
    tasks: [{ argv: ["echo", String(number)] }],
  };
}
