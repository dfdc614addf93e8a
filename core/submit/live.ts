/** The messages of a live conversation as unions, for the client's side. The shapes are in `schema/live_message.ts`. */
import type {
  AskLog,
  AskStatus,
  AskTasks,
  Done,
  LogAnswer,
  Order,
  StatusAnswer,
  TasksAnswer,
} from "../schema/live_message.ts";
import type { Chunk, Follow, Input, InputAck, Resize, WorkerSignal } from "../schema/worker_message.ts";

/** User → endpoint. */
export type FromUserLive = Follow | Input | WorkerSignal | Resize | AskTasks | AskStatus | AskLog | Order;
/** Endpoint → user. */
export type FromEndpointLive = Chunk | InputAck | TasksAnswer | StatusAnswer | LogAnswer | Done;
