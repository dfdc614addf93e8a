/**
 * What the deciding files of an endpoint share: its events, its effects, and the desk on which one event is decided.
 */

import type { Sighting, SubmitOutcome } from "../../providers/outcome.ts";
import type { Arrival, HeldEnvelope } from "../engine/held_envelope.ts";
import type { LargestNode } from "../engine/largest_node.ts";
import type { Pool } from "../engine/pool.ts";
import type { CancelHeader, KeyRecord, ReceiptHeader } from "../schema/envelope.ts";
import type { AskLog, AskStatus, AskTasks, Done, Order, StatusAnswer, TasksAnswer } from "../schema/live_message.ts";
import type { Result } from "../schema/result.ts";
import type {
  Chunk,
  Follow,
  Input,
  InputAck,
  Leaving,
  Ready,
  Report,
  Resize,
  ToWorker,
  WorkerSignal,
} from "../schema/worker_message.ts";
import type { EnvelopeId, TaskId } from "../task/id.ts";
import type { BatchSettings } from "./batch_settings.ts";
import type { JournalRecord } from "./journal_record.ts";
import type { EndpointMemory } from "./memory.ts";

/** A user on one of their connections. */
export interface Asker {
  user: KeyRecord;
  session: string;
}

/** What a user may say live. */
export type LiveAsk = Follow | Input | WorkerSignal | Resize | AskTasks | AskStatus | AskLog | Order;
/** What an endpoint may answer live. The log is fetched by the acting side. */
export type LiveAnswer = Chunk | InputAck | TasksAnswer | StatusAnswer | Done;

/** Everything that can happen to an endpoint. Times are wall clock. */
export type EndpointEvent =
  | { t: "relay_up"; epoch: string; now_ms: number }
  | { t: "relay_down" }
  /** Verified and opened; `refused` is why none of it may run. */
  | { t: "tasks"; seq: number; bytes: Uint8Array; arrival: Arrival; refused?: string; now_ms: number }
  | { t: "cancel"; seq: number; header: CancelHeader; now_ms: number }
  | { t: "receipt"; seq: number; header: ReceiptHeader; now_ms: number }
  /** Mail that proves nothing: forged, damaged, not for us. */
  | { t: "bad_mail"; seq: number; reason: string }
  | { t: "stored"; ids: readonly string[]; now_ms: number }
  /** The relay could not store these; it is time to try again. */
  | { t: "not_stored"; ids: readonly string[]; now_ms: number }
  | { t: "announced"; epoch: string }
  /** Results that were read back from the journal for a relay that lost them. */
  | { t: "recalled"; re: EnvelopeId; indices: number[]; results: Result[] }
  /** `block`: the block that the worker belongs to, if it is no worker of this machine. */
  | { t: "worker_up"; worker: string; ready: Ready; block?: string; now_ms: number }
  | { t: "worker_down"; worker: string; now_ms: number }
  | { t: "report"; worker: string; report: Report; now_ms: number }
  | { t: "from_worker"; worker: string; message: Chunk | InputAck | Leaving }
  /** Its process is proved dead, its leftovers are ended, its spool has been read. */
  | {
      t: "buried";
      worker: string;
      started: readonly { tid: string; attempt: number }[];
      finished: readonly { tid: string; attempt: number; result: Result }[];
      reason: string;
      /** False when it died of something that its tasks cannot have caused. Default: true. */
      blame?: boolean;
      now_ms: number;
    }
  /** The scheduler's answer to a submission. */
  | { t: "block_sent"; block: string; outcome: SubmitOutcome; now_ms: number }
  /** A look at the scheduler. `found`: blocks that were looked up by their names; `names_covered`: all of ours were. */
  | {
      t: "blocks_seen";
      sights: readonly { block: string; sight: Sighting; last_words?: string }[];
      found: readonly { block: string; job: string }[];
      names_covered: boolean;
      now_ms: number;
    }
  | { t: "live"; asker: Asker; message: LiveAsk; now_ms: number }
  /** Somebody with rights on this machine says so. */
  | { t: "stop"; how: "drain" | "now"; now_ms: number }
  /** Time has passed: look for what has expired. */
  | { t: "tick"; now_ms: number };

/** Everything an endpoint can do, once its records are kept. */
export type EndpointEffect =
  | { t: "credit"; room: number }
  | { t: "ack_mail"; seqs: number[]; accepts: { re: EnvelopeId; to: string; digest: string }[] }
  | { t: "deposit"; id: string; held: HeldEnvelope; indices: number[]; results: Result[] }
  /** Tell the new relay of these envelopes, then read back the results named in `recall`. */
  | { t: "announce"; epoch: string; envelopes: HeldEnvelope[]; recall: Map<EnvelopeId, number[]> }
  | { t: "to_worker"; worker: string; messages: ToWorker[] }
  | { t: "answer"; asker: Asker; message: LiveAnswer }
  /** The task is over and nobody has it running: serve the output from its files. */
  | { t: "serve_output"; asker: Asker; tid: TaskId; attempt: number; follow: Follow }
  | { t: "start_worker"; worker: string }
  /** It is buried: nothing of it is needed any more. */
  | { t: "remove_worker"; worker: string }
  /** Its link is down: find out whether its process is dead, and if so, bury it. */
  | { t: "examine"; worker: string }
  /** It is proved dead by its block: read its spool. */
  | { t: "bury"; worker: string; blame: boolean; reason: string }
  | { t: "submit_block"; block: string; name: string }
  | { t: "cancel_block"; block: string }
  /** Look at the scheduler after this time; answered by `blocks_seen`, whatever happens. */
  | { t: "poll_blocks"; delay_ms: number }
  /** Nothing of the block's folder is needed any more. */
  | { t: "remove_block"; name: string }
  /** Push a tick at this wall clock time. */
  | { t: "wake"; at_ms: number }
  | { t: "drop_output"; tid: TaskId; attempt: number }
  | { t: "log"; level: "info" | "warn" | "error"; event: string; fields: { [key: string]: string | number } }
  | { t: "exit"; code: number };

/** What one endpoint is set to do; read from its configuration. */
export interface LocalSettings {
  kind: "local";
  /** Workers to keep. */
  workers: number;
  /** Tasks that may wait here; the rest stays at the relay. */
  tasks_max: number;
  /** Undefined: not known. */
  largest?: LargestNode;
}

export type EngineSettings = LocalSettings | BatchSettings;

/** The desk on which one event is decided. */
export interface Desk {
  readonly memory: EndpointMemory;
  readonly pool: Pool;
  /** Notes a fact: applied at once, durable before any effect of this turn is performed. */
  record(record: JournalRecord): void;
  effect(effect: EndpointEffect): void;
}
