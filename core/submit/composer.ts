/**
 * Writes what a client says: batches as sealed, signed parcels; receipts, cancels and live messages as envelopes. Holds
 * the sealing keys of this process. Sends nothing.
 */
import type { Identity } from "../access/principal.ts";
import { composeCancel, composeLive, composeReceipt, composeTasks } from "../envelope/compose.ts";
import { digestOf } from "../envelope/envelope.ts";
import { Sealer } from "../envelope/sealer.ts";
import type { Host } from "../host/host.ts";
import { timeToLive_ms } from "../limits.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { ParcelHead } from "../schema/outbox.ts";
import type { TaskSpec } from "../schema/task.ts";
import { type EnvelopeId, formatUuid, type GroupId, type PrincipalId } from "../task/id.ts";
import type { Frameable } from "../wire/codec.ts";
import type { FromUserLive } from "./live.ts";
import { type Parcel, titleOf } from "./parcel.ts";

/** A batch of 1–10,000 tasks for one endpoint. Task `i` is `{...base, ...tasks[i]}`. */
export interface Batch {
  base: TaskSpec;
  tasks: TaskSpec[];
  group?: GroupId;
  group_name?: string;
  endpoint_name?: string;
  priority?: number;
  /** By which the program that made it finds it in the outbox after this process has died, however early it did. */
  key?: string;
}

export class Composer {
  private readonly identity: Identity;
  private readonly host: Pick<Host, "clock" | "random">;
  private readonly context: string;
  private readonly sealer: Sealer;

  /** @param context name of the relay, for the outbox. */
  constructor(identity: Identity, host: Pick<Host, "clock" | "random">, context: string, sealer?: Sealer) {
    this.identity = identity;
    this.host = host;
    this.context = context;
    this.sealer = sealer ?? new Sealer(host.random);
  }

  /** Agrees on a key with an endpoint, so that sealing to it cannot fail later. @throws GcError permission `key.*`. */
  prepare(to: KeyRecord): void {
    this.sealer.prepare(to);
  }

  /**
   * A batch as a parcel under a new id.
   * @throws GcError data `task.too_large` when it does not fit into one envelope.
   */
  parcel(to: KeyRecord, batch: Batch): Parcel {
    const { random, clock } = this.host;
    const created_ms = clock.now();
    const expires_ms = created_ms + timeToLive_ms;
    const group = batch.group ?? newUuid(random);
    const { base, tasks } = batch;
    const envelope = composeTasks(this.identity, to, this.sealer, {
      nonce: Buffer.from(random.bytes(16)).toString("hex"),
      group,
      priority: batch.priority ?? 0,
      created_ms,
      expires_ms,
      on_lost: base.on_lost ?? "rerun",
      base,
      tasks,
    });
    const head: ParcelHead = {
      t: "parcel",
      v: 1,
      id: envelope.header.id,
      endpoint: to,
      context: this.context,
      group,
      count: tasks.length,
      digest: digestOf(envelope.bytes),
      created_ms,
      expires_ms,
      size: envelope.bytes.byteLength,
      title: titleOf({ ...base, ...tasks[0] }),
      ...(batch.endpoint_name === undefined ? {} : { endpoint_name: batch.endpoint_name }),
      ...(batch.group_name === undefined ? {} : { group_name: batch.group_name }),
      ...(batch.key === undefined ? {} : { key: batch.key }),
    };
    return { head, envelope: envelope.bytes, base, tasks, plain: envelope.plain };
  }

  /** The message that posts a receipt or a cancel. */
  post(rid: number, kind: "receipt" | "cancel", re: EnvelopeId, to: PrincipalId, indices: number[]): Frameable {
    const compose = kind === "receipt" ? composeReceipt : composeCancel;
    const said = { id: newUuid(this.host.random), re, created_ms: this.host.clock.now(), indices };
    return { t: "post", rid, bytes: [compose(this.identity, to, said).bytes] } as Frameable;
  }

  /** The message that carries live messages over the connection `session`; `to` must be ready. */
  live(session: string, to: KeyRecord, messages: FromUserLive[]): Frameable {
    const { random, clock } = this.host;
    const said = { id: newUuid(random), session, created_ms: clock.now(), messages: messages as Frameable[] };
    const { bytes } = composeLive(this.identity, to, this.sealer, said);
    return { t: "live", to: to.id, session, bytes: [bytes] } as Frameable;
  }
}

/** A random id (UUID version 4): of a group, a message, a process. */
export function newUuid<T extends string = GroupId>(random: Host["random"]): T {
  return formatUuid(randomUuid(random.bytes(16))) as T;
}

/** Sixteen random bytes with the marks of a version 4 UUID. */
export function randomUuid(bytes: Uint8Array): Uint8Array {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
