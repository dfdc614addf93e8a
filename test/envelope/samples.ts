/** One envelope of each kind between a user and an endpoint, and what everybody in the tests is called. */
import type { Identity } from "../../core/access/principal.ts";
import {
  composeAccept,
  composeCancel,
  composeLive,
  composeReceipt,
  composeResult,
  composeTasks,
  type TasksAsked,
} from "../../core/envelope/compose.ts";
import { digestOf, type Envelope } from "../../core/envelope/envelope.ts";
import { Opener, Sealer } from "../../core/envelope/sealer.ts";
import type { Header } from "../../core/schema/envelope.ts";
import type { Result } from "../../core/schema/result.ts";
import { principal, seeded } from "../access/people.ts";

export const alice = principal("user", "alice");
export const mallory = principal("user", "mallory");
export const polaris = principal("endpoint", "polaris");
export const elsewhere = principal("endpoint", "elsewhere");

/** One sealer for all, prepared for everybody. */
export const sealer = new Sealer(seeded("sealer"));
for (const one of [alice, mallory, polaris, elsewhere]) sealer.prepare(one.record);
export const openerOf = (identity: Identity): Opener => new Opener(identity);

export const id = "0b5f6b1e-3f0a-4c8e-9d55-0c8f3a1b2c3d";
export const group = "1b5f6b1e-3f0a-4c8e-9d55-0c8f3a1b2c3d";
export const session = "session-1";
export const created_ms = 1_795_000_000_000;

export const ask: TasksAsked = {
  nonce: "00112233445566778899aabbccddeeff",
  group,
  priority: 0,
  created_ms,
  expires_ms: created_ms + 1000,
  on_lost: "rerun",
  base: { argv: ["hostname"], env: { LANG: "C" } },
  tasks: [{}, { label: "second" }],
};

export function result(more: Partial<Result> = {}): Result {
  return {
    outcome: { class: "ok", cause: "exit", exit_code: 0 },
    stdout: { total: 3, kept: 3, text: "hi\n" },
    stderr: { total: 0, kept: 0 },
    attempt: 1,
    started_ms: created_ms,
    ended_ms: created_ms + 5,
    host: "node-1",
    ...more,
  };
}

export const failed = result({ outcome: { class: "fail", cause: "exit", exit_code: 3 } });

export const tasks = composeTasks(alice, polaris.record, sealer, ask);
const re = tasks.header.id;
export const accept = composeAccept(polaris, alice.id, { re, digest: digestOf(tasks.bytes), id, created_ms });
export const results = composeResult(polaris, alice.record, sealer, {
  id,
  re,
  group,
  created_ms,
  indices: [1, 0],
  results: [result(), failed],
});
export const receipt = composeReceipt(alice, polaris.id, { id, re, indices: [0, 1], created_ms });
export const cancel = composeCancel(alice, polaris.id, { id, re, indices: [], created_ms });
export const live = composeLive(alice, polaris.record, sealer, {
  id,
  session,
  created_ms,
  messages: [{ t: "ask_status" }, { t: "input", bytes: [new Uint8Array([1, 2, 3])] }],
});

export const everyKind: readonly Envelope[] = [tasks, accept, results, receipt, cancel, live];

/** Who really made a sample. */
export function makerOf(envelope: Envelope): Identity {
  return envelope.header.from === alice.id ? alice : polaris;
}

const encoder = new TextEncoder();

/** The bytes of an envelope of these parts, in the form of `envelope.ts` but put together by hand. */
export function assemble(header: Header | object | Uint8Array, body: Uint8Array, signature: Uint8Array): Uint8Array {
  const header_bytes = header instanceof Uint8Array ? header : encoder.encode(JSON.stringify(header));
  const lengths = [header_bytes, body].map((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(part.byteLength);
    return length;
  });
  return new Uint8Array(
    Buffer.concat([Buffer.of(1), lengths[0] ?? "", header_bytes, lengths[1] ?? "", body, signature] as Uint8Array[]),
  );
}
