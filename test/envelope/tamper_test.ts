/**
 * A relay, a user and an endpoint that lie. Each case is what one of them can make from what it has: everybody's public
 * records, its own keys, and envelopes that it has seen. The endpoint and the user do as they do in production: read,
 * compare the addressee, verify, open. Not one case may get through.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { sign as signBytes } from "node:crypto";
import { privateKey, toBase64url } from "../../core/access/keys.ts";
import { type Identity, type KeyRecord, principalId } from "../../core/access/principal.ts";
import { composeCancel, composeReceipt, composeTasks, openResults, openTasks } from "../../core/envelope/compose.ts";
import {
  type Envelope,
  headerHash,
  packEnvelope,
  readEnvelope,
  requireAddressee,
  verifyEnvelope,
} from "../../core/envelope/envelope.ts";
import { Opener } from "../../core/envelope/sealer.ts";
import { GcError } from "../../core/errors.ts";
import type { Header } from "../../core/schema/envelope.ts";
import { seeded } from "../access/people.ts";
import * as sample from "./samples.ts";
import { alice, ask, assemble, created_ms, elsewhere, id, mallory, polaris, sealer } from "./samples.ts";

/** What the endpoint polaris does with bytes from a relay; returns whose they are. */
async function endpointTakes(bytes: Uint8Array): Promise<string> {
  const envelope = readEnvelope(bytes);
  requireAddressee(envelope, polaris.id);
  const { header } = envelope;
  if (!("sender" in header) || header.kind === "result") throw new GcError("permission", "not.for.endpoints", "No");
  verifyEnvelope(envelope, header.sender);
  if (header.kind === "task") await openTasks(envelope, new Opener(polaris));
  return header.from;
}

/** What the user alice does with bytes that a relay calls an answer of polaris to her tasks. */
async function userTakes(bytes: Uint8Array): Promise<string> {
  const envelope = readEnvelope(bytes);
  requireAddressee(envelope, alice.id);
  const { header } = envelope;
  if (header.kind !== "result" && header.kind !== "accept") throw new GcError("permission", "not.for.users", "No");
  verifyEnvelope(envelope, polaris.record);
  if (header.kind === "result") await openResults(envelope, new Opener(alice));
  return header.from;
}

const { tasks, results, accept, receipt, cancel } = sample;
const other = composeTasks(alice, polaris.record, sealer, { ...ask, nonce: "f".repeat(32) });
const toElsewhere = composeTasks(alice, elsewhere.record, sealer, { ...ask, nonce: "e".repeat(32) });
const fromMallory = composeTasks(mallory, polaris.record, sealer, ask);

let tried = 0;
let accepted = 0;

/** Registers one case: `make` gives the bytes, `take` must throw a GcError for them. */
function lie(what: string, make: () => Uint8Array, take: (bytes: Uint8Array) => Promise<string> = endpointTakes): void {
  test(what, async () => {
    tried += 1;
    let error: unknown;
    try {
      await take(make());
      accepted += 1;
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GcError);
  });
}

/** An envelope with the bytes of another, one of them changed. */
function flipped(envelope: Envelope, at: number, mask = 1): Uint8Array {
  const bytes = new Uint8Array(envelope.bytes);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  return bytes;
}

/** `header` signed by `by` over this body. */
function signed(by: Identity, header: object, body: Uint8Array): Uint8Array {
  const header_bytes = Buffer.from(JSON.stringify(header));
  return packEnvelope(by, header as Header, header_bytes, headerHash(header_bytes), body).bytes;
}

test("the honest envelopes are taken", async () => {
  for (const { bytes } of [tasks, receipt, cancel, other]) expect(await endpointTakes(bytes)).toBe(alice.id);
  for (const { bytes } of [accept, results]) expect(await userTakes(bytes)).toBe(polaris.id);
  expect(await endpointTakes(fromMallory.bytes)).toBe(mallory.id);
});

describe("header fields changed by the relay", () => {
  const values: { [field: string]: unknown[] } = {
    v: [2, "1"],
    kind: ["cancel", "receipt", "live", "accept"],
    from: [mallory.id, polaris.id],
    to: [elsewhere.id, alice.id],
    id: [other.header.id, tasks.header.id.replace(/0$/, "1")],
    nonce: ["f".repeat(32)],
    count: [1, 3, 10_000],
    group: ["2b5f6b1e-3f0a-4c8e-9d55-0c8f3a1b2c3d"],
    priority: [1, 1000, -1],
    created_ms: [0, created_ms + 1],
    expires_ms: [0, Number.MAX_SAFE_INTEGER],
    on_lost: ["fail"],
    sender: [mallory.record, polaris.record, { ...alice.record, seq: 1 }, {}],
  };
  for (const [field, changes] of Object.entries(values)) {
    for (const [i, value] of changes.entries()) {
      const header = { ...tasks.header, [field]: value };
      lie(`${field} (${i + 1})`, () => assemble(header, tasks.body, tasks.signature));
    }
    const { [field]: _, ...without } = tasks.header as { [name: string]: unknown };
    lie(`${field} left out`, () => assemble(without, tasks.body, tasks.signature));
  }
  lie("a field too many", () => assemble({ ...tasks.header, x: 1 }, tasks.body, tasks.signature));
  lie("the same fields, written with a space", () => {
    const text = JSON.stringify(tasks.header).replace(":", ": ");
    return assemble(Buffer.from(text), tasks.body, tasks.signature);
  });
  lie("a second `to` behind the first", () => {
    const text = `${JSON.stringify(tasks.header).slice(0, -1)},"to":"${polaris.id}"}`;
    return assemble(Buffer.from(text), tasks.body, tasks.signature);
  });
});

describe("the sender's record changed by the relay", () => {
  for (const field of ["kind", "id", "sign_pub", "enc_pub", "seq", "sig"] as const) {
    const sender = { ...alice.record, [field]: mallory.record[field] };
    if (field === "kind") sender.kind = "endpoint";
    if (field === "seq") sender.seq = 7;
    const header = { ...tasks.header, sender };
    lie(field, () => assemble(header, tasks.body, tasks.signature));
    lie(`${field}, signed by another user`, () => signed(mallory, header, tasks.body));
  }
});

describe("bits changed by the relay", () => {
  const { header_bytes, body, bytes } = tasks;
  const bodyAt = 9 + header_bytes.byteLength;
  const signatureAt = bodyAt + body.byteLength;
  for (const at of [0, 1, 2, 3, 4]) lie(`version and header length, byte ${at}`, () => flipped(tasks, at));
  for (const at of [4, 3, 2, 1]) lie(`body length, byte ${4 - at}`, () => flipped(tasks, bodyAt - at));
  for (let i = 0; i < 16; i++) {
    const at = 5 + Math.floor((i * header_bytes.byteLength) / 16);
    lie(`header, byte ${at}`, () => flipped(tasks, at));
  }
  for (let i = 0; i < 24; i++) {
    const at = bodyAt + Math.floor((i * body.byteLength) / 24);
    lie(`body, byte ${at - bodyAt}`, () => flipped(tasks, at, 0x80));
  }
  for (let i = 0; i < 16; i++) lie(`tag, byte ${i}`, () => flipped(tasks, signatureAt - 16 + i));
  for (let i = 0; i < 64; i += 4) lie(`signature, byte ${i}`, () => flipped(tasks, signatureAt + i, 0x10));
  for (const cut of [1, 16, 63, 64, 65, 100, bytes.byteLength - 10, bytes.byteLength]) {
    lie(`${cut} bytes cut off`, () => bytes.subarray(0, bytes.byteLength - cut));
  }
  lie("a byte put behind", () => Buffer.concat([bytes, Buffer.of(0)]));
  lie("two envelopes in one", () => Buffer.concat([bytes, bytes]));
  lie("an accept's bits", () => flipped(accept, 20), userTakes);
  for (let i = 0; i < 16; i++) {
    const at = Math.floor((i * results.bytes.byteLength) / 16);
    lie(`result, byte ${at}`, () => flipped(results, at), userTakes);
  }
});

describe("unsigned", () => {
  const none = new Uint8Array(0);
  lie("no signature", () => assemble(tasks.header, tasks.body, none));
  lie("a signature of zeros", () => assemble(tasks.header, tasks.body, new Uint8Array(64)));
  lie("a signature of ones", () => assemble(tasks.header, tasks.body, new Uint8Array(64).fill(255)));
  lie("twice the signature", () => {
    return assemble(tasks.header, tasks.body, Buffer.concat([tasks.signature, tasks.signature]));
  });
  lie("the signature with the group's order added to S", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(tasks.signature.subarray(32)).reverse().toString("hex")}`) + order;
    const bent = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
    return assemble(tasks.header, tasks.body, Buffer.concat([tasks.signature.subarray(0, 32), bent]));
  });
  lie("a signature over the body alone", () => assemble(tasks.header, tasks.body, alice.sign(tasks.body)));
  lie("a signature over the envelope's bytes", () => assemble(tasks.header, tasks.body, alice.sign(tasks.bytes)));
  lie("a result's signature of zeros", () => assemble(results.header, results.body, new Uint8Array(64)), userTakes);
  lie("an accept's signature of zeros", () => assemble(accept.header, none, new Uint8Array(64)), userTakes);
  lie("a receipt's signature of zeros", () => assemble(receipt.header, none, new Uint8Array(64)));
});

describe("parts of different envelopes put together", () => {
  lie("header of one, body of another", () => assemble(tasks.header, other.body, tasks.signature));
  lie("header of one, body and signature of another", () => assemble(tasks.header, other.body, other.signature));
  lie("header and body of one, signature of another", () => assemble(tasks.header, tasks.body, other.signature));
  lie("body of another user's envelope", () => assemble(tasks.header, fromMallory.body, tasks.signature));
  lie("body of an envelope for another endpoint", () => assemble(tasks.header, toElsewhere.body, tasks.signature));
  lie("body of a live envelope", () => assemble(tasks.header, sample.live.body, tasks.signature));
  lie("a receipt with the signature of a cancel", () => {
    return assemble(receipt.header, receipt.body, cancel.signature);
  });
  lie("a cancel for other tasks", () => assemble({ ...cancel.header, indices: [1] }, cancel.body, cancel.signature));
  lie("a receipt for more", () => assemble({ ...receipt.header, indices: [0, 1, 2] }, receipt.body, receipt.signature));
  lie("a receipt for another envelope", () => {
    return assemble({ ...receipt.header, re: other.header.id }, receipt.body, receipt.signature);
  });
});

describe("sent to others than meant", () => {
  lie("tasks for another endpoint", () => toElsewhere.bytes);
  lie("tasks for another endpoint, the header changed", () => {
    return assemble({ ...toElsewhere.header, to: polaris.id }, toElsewhere.body, toElsewhere.signature);
  });
  lie("a receipt for another endpoint", () => {
    return composeReceipt(alice, elsewhere.id, { id, re: tasks.header.id, indices: [0], created_ms }).bytes;
  });
  lie("a cancel for another endpoint", () => {
    return composeCancel(alice, elsewhere.id, { id, re: tasks.header.id, indices: [], created_ms }).bytes;
  });
  lie("results, given to the endpoint", () => results.bytes);
  lie("an accept, given to the endpoint", () => accept.bytes);
  lie("tasks, given back to the user", () => tasks.bytes, userTakes);
  lie(
    "tasks that the user sent, to itself",
    () => signed(alice, { ...tasks.header, to: alice.id }, tasks.body),
    userTakes,
  );
});

describe("another user's lies", () => {
  lie("alice's tasks under its own name", () => {
    return signed(mallory, { ...tasks.header, from: mallory.id, sender: mallory.record }, tasks.body);
  });
  lie("alice's body in its own envelope", () => signed(mallory, fromMallory.header, tasks.body));
  lie("its own tasks under alice's id for an envelope", () => {
    return signed(mallory, { ...fromMallory.header, id: tasks.header.id }, fromMallory.body);
  });
  lie("alice's name with its own signature", () => signed(mallory, tasks.header, tasks.body));
  lie("alice's name, its own key and signature", () => {
    return signed(mallory, { ...tasks.header, sender: mallory.record }, tasks.body);
  });
  lie("alice's id in its own record, signed anew", () => {
    const record = resigned({ ...mallory.record, id: alice.id }, seeded("user mallory").bytes(32));
    return signed(mallory, { ...tasks.header, sender: record }, tasks.body);
  });
  lie("its own encryption key in alice's record, signed anew", () => {
    const record = resigned({ ...alice.record, enc_pub: mallory.record.enc_pub }, seeded("user mallory").bytes(32));
    return signed(mallory, { ...tasks.header, sender: record }, tasks.body);
  });
  lie("a receipt in alice's name", () => signed(mallory, receipt.header, receipt.body));
  lie("a cancel in alice's name", () => signed(mallory, cancel.header, cancel.body));
  lie("an accept in the endpoint's name", () => signed(mallory, accept.header, accept.body), userTakes);
  lie("results in the endpoint's name", () => signed(mallory, results.header, results.body), userTakes);
  lie(
    "results in its own name",
    () => {
      return signed(mallory, { ...results.header, from: mallory.id, sender: mallory.record }, results.body);
    },
    userTakes,
  );
});

describe("keys of small order, for which anybody can sign", () => {
  const points = [
    `01${"00".repeat(31)}`,
    `01${"00".repeat(30)}80`,
    "00".repeat(32),
    `${"00".repeat(31)}80`,
    `ec${"ff".repeat(30)}7f`,
    `ec${"ff".repeat(31)}`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ];
  for (const hex of points) {
    const point = Buffer.from(hex, "hex");
    for (const [name, r] of [
      ["itself", point],
      ["the identity", Buffer.from(points[0] ?? "", "hex")],
    ] as const) {
      lie(`${hex.slice(0, 8)}…${hex.slice(-4)}, R is ${name}`, () => {
        const forged = Buffer.concat([r, Buffer.alloc(32)]);
        const from = principalId("user", point);
        const sender = { ...mallory.record, id: from, sign_pub: toBase64url(point), sig: toBase64url(forged) };
        return assemble({ ...receipt.header, from, sender }, receipt.body, forged);
      });
    }
  }
});

describe("endpoints' lies", () => {
  lie("tasks made by an endpoint", () => {
    const made = composeTasks(elsewhere, polaris.record, sealer, ask);
    return made.bytes;
  });
  lie("a receipt made by an endpoint", () => {
    return composeReceipt(elsewhere, polaris.id, { id, re: tasks.header.id, indices: [0], created_ms }).bytes;
  });
  lie(
    "results of another endpoint",
    () => {
      return signed(elsewhere, { ...results.header, from: elsewhere.id, sender: elsewhere.record }, results.body);
    },
    userTakes,
  );
  lie("another endpoint in the name of this one", () => signed(elsewhere, results.header, results.body), userTakes);
  lie(
    "results for another envelope",
    () => {
      return signed(polaris, { ...results.header, re: other.header.id }, results.body);
    },
    userTakes,
  );
  lie(
    "other classes than inside",
    () => {
      return assemble({ ...results.header, classes: ["ok", "ok"] }, results.body, results.signature);
    },
    userTakes,
  );
  lie(
    "indices the other way round",
    () => {
      return assemble({ ...results.header, indices: [0, 1] }, results.body, results.signature);
    },
    userTakes,
  );
  lie(
    "an accept of another digest",
    () => {
      return assemble({ ...accept.header, digest: "0".repeat(64) }, accept.body, accept.signature);
    },
    userTakes,
  );
  lie(
    "an accept of another envelope",
    () => {
      return assemble({ ...accept.header, re: other.header.id }, accept.body, accept.signature);
    },
    userTakes,
  );
});

test("a replayed envelope is the same envelope: it has the same id, and no other envelope can have it", () => {
  const again = readEnvelope(new Uint8Array(tasks.bytes)).header;
  expect(again.id).toBe(tasks.header.id);
  const resend = composeTasks(alice, polaris.record, sealer, ask);
  expect(resend.header.id).toBe(tasks.header.id);
  expect(other.header.id).not.toBe(tasks.header.id);
  expect(fromMallory.header.id).not.toBe(tasks.header.id);
});

afterAll(() => {
  console.log(`tamper accepted ${accepted}/${tried}`);
  expect(tried).toBeGreaterThanOrEqual(120);
  expect(accepted).toBe(0);
});

/** `record` with a signature by the key made of `secret`. */
function resigned(record: KeyRecord, secret: Uint8Array): KeyRecord {
  const { kind, id, sign_pub, enc_pub, seq } = record;
  const text = ["gc-key-record-v1", kind, id, sign_pub, enc_pub, seq].join("\0");
  return { ...record, sig: toBase64url(signBytes(null, Buffer.from(text), privateKey("Ed25519", secret))) };
}
