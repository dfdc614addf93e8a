/** Every bound in one place, each with its reason. Sizes in bytes, times in milliseconds. */

/** One task body or result body, sealed. Globus Compute's limit for both (globus-compute.md §6.1). */
export const bodyBytesMax = 10 * 1024 * 1024;
/** One frame: a body, its header and some messages around it. */
export const frameBytesMax = 16 * 1024 * 1024;
/** A longer frame travels in parts of this size, so that a slow line still shows signs of life (wire/parts.ts). */
export const partBytes = 256 * 1024;
/** A frame before authentication: hello and auth are below 2 KiB (reliability-security.md §1.4 row 13). */
export const frameBytesBeforeAuthMax = 8 * 1024;
/** Time to authenticate. */
export const authTimeout_ms = 10_000;
/** Header of an envelope; the largest is a result header with 10,000 indices. */
export const headerBytesMax = 256 * 1024;
/** Tasks in one envelope. The index has 32 bits; the bound keeps one frame below 10 MiB for ordinary commands. */
export const tasksPerEnvelopeMax = 10_000;

/** Time to reach an acceptor: name, proxy, TCP, TLS and the WebSocket upgrade. */
export const connectTimeout_ms = 15_000;
/** The same through a shared folder: clients of NFS show what others left there up to a minute late, and so back. */
export const mailboxTimeout_ms = 150_000;

/** Ping interval and death of a silent session; proxies cut sockets that are idle for 30 s (ecosystem.md §1.7). */
export const pingEvery_ms = 20_000;
export const silence_ms = 60_000;
/** Ping interval on Unix sockets: there is no proxy, and an idle endpoint must not use CPU (ecosystem.md §1.7). */
export const pingLocalEvery_ms = 40_000;
/** Full-jitter reconnection, first and largest delay. gc never gives up (reliability-security.md §3.6). */
export const reconnectFirst_ms = 250;
export const reconnectMax_ms = 60_000;
/** The same over a Unix socket, where no crowd comes back at once: a restarted endpoint has its workers again in 2
 * s. */
export const reconnectLocalMax_ms = 2000;

/** Bytes a session may have in flight, unacknowledged, towards one reader; what is beyond waits on disk. */
export const windowBytes = 8 * 1024 * 1024;
/** Envelopes in flight towards one endpoint. */
export const windowEnvelopes = 64;
/** Tasks that an endpoint takes from the relay at most before older ones have ended; the rest waits at the relay. */
export const endpointTasksMax = 50_000;
/** Bytes of followed output in flight between worker and client. */
export const followWindowBytes = 1024 * 1024;
/** One chunk of output or input. */
export const chunkBytesMax = 64 * 1024;

/** The relay offers a task envelope again after this time without an accept. */
export const offerAgain_ms = 60_000;
/** Everything else that waits for an answer is sent again after this time. */
export const resend_ms = 30_000;
/** A worker that is silent for so long is suspect: nothing is concluded, it only gets no more tasks. */
export const suspectAfter_ms = 30_000;
/** Workers that may die while running a task before the task is called poisoned. */
export const crashesMax = 3;
/** Blocks or workers in a row that die before they connect; then the engine pauses (DESIGN §6). */
export const barrenStartsMax = 3;
/** Submissions in a row that a scheduler may refuse; fewer when trying again cannot help (DESIGN §6). */
export const refusedSubmissionsMax = 10;

/** A task that nobody took, or whose result nobody fetched, is kept for 14 days. */
export const timeToLive_ms = 14 * 24 * 3600 * 1000;
/** An id is remembered this long after its task has expired, so that a late copy cannot run again. */
export const tombstone_ms = 30 * 24 * 3600 * 1000;
/** Results with a receipt stay this long at the relay, for a second reader. */
export const receiptedKeep_ms = 24 * 3600 * 1000;

/** Requests of one person: sustained per 10 s, and burst. Globus Compute's limits (globus-compute.md §6.1). */
export const requestsPer10s = 20;
export const requestBurst = 40;

/** Snippets of output in a result: bytes of each stream, besides the line limit of the task. */
export const snippetBytesMax = 1024 * 1024;
/** The value of a Python function as it travels; the rest of a body is for its output, which is cut to fit. */
export const pythonValueBytesMax = 8 * 1024 * 1024;
/** Results that go into one envelope. */
export const resultsPerEnvelopeMax = 1000;
/** How long results are gathered while more work is waiting (performance.md R1). */
export const gather_ms = 3;
/**
 * The same while the worker has more of the same batch: nobody is done before that. Each report costs an fsync, here
 * and at the endpoint, two at the relay and a dozen wake-ups; people do not notice so short a time.
 */
export const gatherBatch_ms = 25;
/**
 * How long the acknowledgement of a few envelopes of mail waits for company. A short task is over by then, and relay
 * and client deal with its accept and its result in one go; nobody waits for the accept alone.
 */
export const ackHold_ms = 15;
/** More acknowledgements than this do not wait. */
export const heldAcksMax = 4;
