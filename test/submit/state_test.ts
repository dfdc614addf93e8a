import { describe, expect, test } from "bun:test";
import type { ClientEffect, ClientEvent, ClientRecord } from "../../core/submit/event.ts";
import { entryOf } from "../../core/submit/parcel.ts";
import { SubmitState } from "../../core/submit/state.ts";
import type { GroupId } from "../../core/task/id.ts";
import { endpoint, group, idNumber, parcel, stranger } from "./parcels.ts";

/** A state with the events it is given and what came out of each. */
function start() {
  const state = new SubmitState();
  const decide = (event: ClientEvent) => {
    const out = { records: [] as ClientRecord[], effects: [] as ClientEffect[] };
    state.decide(event, out);
    return out;
  };
  return { state, decide };
}

const up = (epoch = "e1", now_ms = 0): ClientEvent => ({ kind: "up", epoch, now_ms });
const submit = (number: number, now_ms = 0): ClientEvent => {
  return { kind: "submit", promised: true, parcel: parcel(number), now_ms };
};
const ofKind = <K extends ClientEffect["kind"]>(effects: ClientEffect[], kind: K) =>
  effects.filter((effect): effect is Extract<ClientEffect, { kind: K }> => effect.kind === kind);

function accept(number: number, from = endpoint, digest = parcel(number).head.digest): ClientEvent {
  return {
    kind: "news",
    watch: 1,
    seq: 0,
    accepts: [{ id: idNumber(number), from, digest }],
    results: [],
    expired: [],
  };
}

function results(number: number, seq: number, indices = [0], from = endpoint): ClientEvent {
  const news = {
    id: idNumber(number),
    from,
    group: group as GroupId,
    indices,
    classes: indices.map(() => "ok" as const),
  };
  return { kind: "news", watch: 1, seq, accepts: [], results: [news], expired: [] };
}

const watch: ClientEvent = { kind: "watch", watch: 1, watched: { group: group as GroupId }, now_ms: 0 };

describe("SubmitState", () => {
  test("keeps what is promised as a promise, and the rest so far that it is found again", () => {
    const { decide } = start();
    const event = submit(1) as Extract<ClientEvent, { kind: "submit" }>;
    expect(decide({ ...event, promised: false }).records).toMatchObject([{ kind: "entry", promised: false }]);
    expect(decide({ kind: "promise", id: idNumber(1) }).records).toEqual([{ kind: "promised", id: idNumber(1) }]);
    expect(decide(submit(2)).records).toMatchObject([{ kind: "entry", promised: true }]);
  });

  test("keeps a task before it sends it", () => {
    const { decide } = start();
    decide(up());
    const { records, effects } = decide(submit(1));
    expect(records.map((record) => record.kind)).toEqual(["entry"]);
    expect(ofKind(effects, "submit").map((effect) => effect.ids)).toEqual([[idNumber(1)]]);
  });

  test("sends what waits in the outbox once the link is up", () => {
    const { decide } = start();
    expect(ofKind(decide(submit(1)).effects, "submit")).toEqual([]);
    decide({ kind: "adopt", entry: entryOf(parcel(2).head), now_ms: 0 });
    expect(ofKind(decide(up()).effects, "submit").flatMap((effect) => effect.ids)).toEqual([idNumber(1), idNumber(2)]);
  });

  test("sends again after a reconnection what the relay had not confirmed", () => {
    const { decide } = start();
    decide(up());
    const first = ofKind(decide(submit(1)).effects, "submit")[0];
    decide({ kind: "down" });
    expect(ofKind(decide(up()).effects, "submit")).toEqual([first as never]);
  });

  test("sends nothing again that the relay confirmed, until the relay counts anew", () => {
    const { state, decide } = start();
    decide(up());
    const rid = ofKind(decide(submit(1)).effects, "submit")[0]?.rid ?? -1;
    const told = decide({ kind: "submitted", re: rid, ids: [idNumber(1)], now_ms: 1 });
    expect(told.effects).toContainEqual({ kind: "stored", id: idNumber(1) });
    expect(told.records).toEqual([{ kind: "stored", id: idNumber(1), epoch: "e1" }]);
    decide({ kind: "down" });
    expect(ofKind(decide(up("e1", 5)).effects, "submit")).toEqual([]);
    decide({ kind: "down" });
    expect(ofKind(decide(up("e2", 9)).effects, "submit").map((effect) => effect.ids)).toEqual([[idNumber(1)]]);
    expect(state.pending().length).toBe(1);
  });

  test("sends an adopted entry again when the relay that had confirmed it is another one now", () => {
    const { decide } = start();
    decide({ kind: "adopt", entry: entryOf(parcel(1).head), epoch: "e1", now_ms: 0 });
    decide({ kind: "adopt", entry: entryOf(parcel(2).head), epoch: "e2", now_ms: 0 });
    expect(ofKind(decide(up("e2")).effects, "submit").flatMap((effect) => effect.ids)).toEqual([idNumber(1)]);
  });

  test("lets an entry go only for an accept of its own endpoint over its own bytes", () => {
    const { state, decide } = start();
    decide(up());
    decide(submit(1));
    expect(decide(accept(1, stranger)).records).toEqual([]);
    expect(decide(accept(1, endpoint, "f".repeat(64))).records).toEqual([]);
    expect(state.pending().length).toBe(1);
    expect(decide(accept(1)).records).toEqual([{ kind: "accepted", id: idNumber(1) }]);
    expect(decide(accept(1)).records).toEqual([]);
    expect(state.pending()).toEqual([]);
  });

  test("waits as long as the relay asks, and longer each time, when it cannot store", () => {
    const { decide } = start();
    decide(up());
    const rid = ofKind(decide(submit(1)).effects, "submit")[0]?.rid ?? -1;
    const error = {
      t: "error",
      kind: "temporary",
      code: "storage.full",
      message: "Full",
      retry_after_ms: 5000,
    } as const;
    const told = decide({ kind: "error", re: rid, error, now_ms: 1000 }).effects;
    expect(ofKind(told, "put_off")).toEqual([{ kind: "put_off", error }]);
    expect(ofKind(decide({ kind: "tick", now_ms: 5999 }).effects, "submit")).toEqual([]);
    expect(ofKind(decide({ kind: "tick", now_ms: 6000 }).effects, "submit").length).toBe(1);
  });

  test("gives an entry up for a refusal that will not change, and says so", () => {
    const { state, decide } = start();
    decide(up());
    const rid = ofKind(decide(submit(1)).effects, "submit")[0]?.rid ?? -1;
    const error = { t: "error", kind: "permission", code: "submit.forbidden", message: "No" } as const;
    const { records, effects } = decide({ kind: "error", re: rid, error, now_ms: 1 });
    expect(records).toEqual([{ kind: "refused", id: idNumber(1), error }]);
    expect(ofKind(effects, "refused").length).toBe(1);
    expect(state.pending()).toEqual([]);
  });

  test("does not blame the neighbours when one of several envelopes is refused", () => {
    const { decide } = start();
    decide(submit(1));
    decide(submit(2));
    const rid = ofKind(decide(up()).effects, "submit")[0]?.rid ?? -1;
    const error = { t: "error", kind: "permission", code: "submit.forbidden", message: "No" } as const;
    const { records, effects } = decide({ kind: "error", re: rid, error, now_ms: 1 });
    expect(records).toEqual([]);
    expect(ofKind(effects, "submit").map((effect) => effect.ids)).toEqual([[idNumber(1)], [idNumber(2)]]);
  });

  test("asks again, but not at once, when the relay says neither yes nor no", () => {
    const { decide } = start();
    decide(up());
    const rid = ofKind(decide(submit(1)).effects, "submit")[0]?.rid ?? -1;
    const answer = decide({ kind: "submitted", re: rid, ids: [], now_ms: 0 });
    expect(ofKind(answer.effects, "submit")).toEqual([]);
    expect(ofKind(decide({ kind: "tick", now_ms: 30_000 }).effects, "submit").length).toBe(1);
  });

  test("keeps at most a window of bytes in flight", () => {
    const { decide } = start();
    decide(up());
    const sent: number[] = [];
    const rids: number[] = [];
    for (let number = 1; number <= 5; number++) {
      const big = parcel(number, { size: 3 * 1024 * 1024 });
      for (const effect of ofKind(
        decide({ kind: "submit", promised: true, parcel: big, now_ms: 0 }).effects,
        "submit",
      )) {
        sent.push(...effect.ids.map(() => number));
        rids.push(effect.rid);
      }
    }
    expect(sent).toEqual([1, 2]);
    const next = decide({ kind: "submitted", re: rids[0] ?? -1, ids: [idNumber(1)], now_ms: 1 });
    expect(ofKind(next.effects, "submit").flatMap((effect) => effect.ids)).toEqual([idNumber(3)]);
  });

  test("passes a result on once, however often it comes", () => {
    const { decide } = start();
    decide(up());
    decide(watch);
    decide(submit(1));
    expect(ofKind(decide(results(1, 7)).effects, "results")[0]?.batches.length).toBe(1);
    expect(ofKind(decide(results(1, 7)).effects, "results")[0]?.batches).toEqual([]);
  });

  test("passes on the new part of a batch that overlaps an earlier one", () => {
    const { decide } = start();
    decide(up());
    decide(watch);
    decide({ kind: "submit", promised: true, parcel: parcel(1, { count: 5 }), now_ms: 0 });
    decide(results(1, 7, [0, 2]));
    expect(ofKind(decide(results(1, 8, [1, 2, 3])).effects, "results")[0]?.batches[0]?.indices).toEqual([1, 3]);
  });

  test("drops results of an endpoint the task was not sent to, and of tasks that were not in the envelope", () => {
    const { decide } = start();
    decide(up());
    decide(watch);
    decide(submit(1));
    expect(ofKind(decide(results(1, 7, [0], stranger)).effects, "results")[0]?.batches).toEqual([]);
    expect(ofKind(decide(results(1, 8, [3])).effects, "results")[0]?.batches).toEqual([]);
  });

  test("asks after a reconnection only for what the reader has not taken", () => {
    const { decide } = start();
    decide(up());
    expect(ofKind(decide(watch).effects, "send")[0]?.message).toMatchObject({ t: "watch", watch: 1, group });
    decide(results(1, 7));
    decide(results(2, 9));
    decide({ kind: "taken", watch: 1, seq: 7 });
    decide({ kind: "down" });
    const again = ofKind(decide(up()).effects, "send").map((effect) => effect.message);
    expect(again).toEqual([expect.objectContaining({ t: "watch", after: 7 })]);
    decide({ kind: "down" });
    expect(ofKind(decide(up("e2")).effects, "send")[0]?.message).not.toHaveProperty("after");
  });

  test("repeats a receipt until the relay has it", () => {
    const { decide } = start();
    decide(up());
    const flushed = {
      kind: "flushed" as const,
      id: idNumber(1),
      endpoint,
      indices: [0],
      ticket: 4,
      now_ms: 0,
    } satisfies ClientEvent;
    const rid = ofKind(decide(flushed).effects, "receipt")[0]?.rid ?? -1;
    decide({ kind: "down" });
    expect(ofKind(decide(up()).effects, "receipt").map((effect) => effect.rid)).toEqual([rid]);
    expect(decide({ kind: "ok", re: rid }).effects).toContainEqual({ kind: "posted", ticket: 4 });
    decide({ kind: "down" });
    expect(ofKind(decide(up()).effects, "receipt")).toEqual([]);
  });

  test("gathers receipts of one envelope while more of its results are watched for", () => {
    const { decide } = start();
    const post = (indices: number[], ticket: number): ClientEffect[] => {
      const { effects } = decide({ kind: "flushed", id: idNumber(1), endpoint, indices, ticket, now_ms: 0 });
      return ofKind(effects, "receipt");
    };
    decide(up());
    decide({ kind: "know", id: idNumber(1), endpoint, count: 4 });
    decide(watch);
    expect([...post([0], 1), ...post([2], 2)]).toEqual([]);
    const [late] = ofKind(decide({ kind: "tick", now_ms: 1000 }).effects, "receipt");
    expect(late?.indices).toEqual([0, 2]);
    const told = ofKind(decide({ kind: "ok", re: late?.rid ?? -1 }).effects, "posted");
    expect(told.map(({ ticket }) => ticket)).toEqual([1, 2]);
    expect(post([1], 3)).toEqual([]);
    expect(post([3], 4)).toMatchObject([{ indices: [1, 3] }]);
  });

  test("posts receipts that wait when the last watch ends", () => {
    const { decide } = start();
    decide(up());
    decide(watch);
    decide({ kind: "flushed", id: idNumber(1), endpoint, indices: [0], ticket: 1, now_ms: 0 });
    const { effects } = decide({ kind: "unwatch", watch: 1, now_ms: 0 });
    expect(ofKind(effects, "receipt")).toMatchObject([{ indices: [0] }]);
  });

  test("posts a receipt at once, and those that follow closely in one go", () => {
    const { decide } = start();
    decide(up());
    const post = (id: number, now_ms: number): ClientEffect[] => {
      decide({ kind: "know", id: idNumber(id), endpoint, count: 1 });
      const { effects } = decide({ kind: "flushed", id: idNumber(id), endpoint, indices: [0], ticket: id, now_ms });
      return effects;
    };
    expect(ofKind(post(1, 1000), "receipt")).toMatchObject([{ id: idNumber(1) }]);
    const second = post(2, 1003);
    expect(ofKind(second, "receipt")).toEqual([]);
    const [wake] = ofKind(second, "wake");
    expect(wake?.at_ms).toBeLessThanOrEqual(1030);
    expect(ofKind(post(3, 1010), "receipt")).toEqual([]);
    const due = ofKind(decide({ kind: "tick", now_ms: wake?.at_ms ?? 0 }).effects, "receipt");
    expect(due.map(({ id }) => id)).toEqual([idNumber(2), idNumber(3)]);
    expect(ofKind(post(4, 2000), "receipt")).toMatchObject([{ id: idNumber(4) }]);
    // The clock was set back.
    expect(ofKind(post(5, 500), "receipt")).toMatchObject([{ id: idNumber(5) }]);
  });

  test("takes an entry back only if no link has carried it", () => {
    const { decide } = start();
    decide(submit(1));
    expect(decide({ kind: "withdraw", id: idNumber(1) }).records).toEqual([{ kind: "withdrawn", id: idNumber(1) }]);
    decide(up());
    decide(submit(2));
    const late = decide({ kind: "withdraw", id: idNumber(2) });
    expect(late.records).toEqual([]);
    expect(late.effects).toEqual([{ kind: "withdrawn", id: idNumber(2), done: false }]);
  });

  test("repeats a live question until it is answered by whom it asked, or time is up", () => {
    const { decide } = start();
    decide(up());
    const ask = { t: "ask_status", rid: 3 } as const;
    expect(
      ofKind(decide({ kind: "ask", ask, to: endpoint, deadline_ms: 9000, now_ms: 0 }).effects, "live").length,
    ).toBe(1);
    expect(ofKind(decide({ kind: "tick", now_ms: 1000 }).effects, "live").length).toBe(1);
    const answer = { t: "done", re: 3, ok: true, message: "" } as const;
    expect(decide({ kind: "answered", from: stranger, answer }).effects).toEqual([]);
    expect(ofKind(decide({ kind: "tick", now_ms: 9000 }).effects, "live_answer")).toEqual([
      { kind: "live_answer", rid: 3, answer: "timeout" },
    ]);
    expect(decide({ kind: "answered", from: endpoint, answer }).effects).toEqual([]);
  });

  test("says at once when the asked endpoint is offline", () => {
    const { decide } = start();
    decide(up());
    decide({ kind: "ask", ask: { t: "ask_status", rid: 3 }, to: endpoint, deadline_ms: 9000, now_ms: 0 });
    expect(decide({ kind: "undelivered", to: endpoint, why: "offline" }).effects).toEqual([
      { kind: "live_answer", rid: 3, answer: "offline" },
    ]);
  });
});
