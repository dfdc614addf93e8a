/**
 * What every mailbox must do, whatever it is made of. A store passes when `describeMailbox` passes with a function that
 * opens it, `reopen` being what a kill -9 and a new start leave of it.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Change, Mailbox, NewTask } from "../../core/relay/mailbox.ts";
import { freshId } from "./town.ts";

export interface OpenedMailbox {
  readonly mailbox: Mailbox;
  /** As after kill -9: what was not committed is gone. */
  reopen(): Mailbox;
  close(): void;
}

const day_ms = 24 * 3600 * 1000;
const digest = "ab".repeat(32);

export function describeMailbox(name: string, open: () => OpenedMailbox): void {
  describe(`the mailbox in ${name}`, () => {
    let opened: OpenedMailbox;
    let box: Mailbox;
    beforeEach(() => {
      opened = open();
      box = opened.mailbox;
    });
    afterEach(() => opened.close());

    const task = (more: Partial<NewTask> = {}): NewTask => {
      const sender = more.sender ?? box.principalNo(alice, "user");
      return {
        seq: box.nextSeq(),
        id: freshId(),
        sender,
        endpoint: box.principalNo(polaris, "endpoint"),
        group: box.groupNo(sender, more.group_id ?? group),
        group_id: group,
        count: 1,
        rank: 0,
        created_ms: 1000,
        expires_ms: 1000 + day_ms,
        digest,
        state: "queued",
        due_ms: 1000 + day_ms,
        ...more,
      };
    };
    const put = (more: Partial<NewTask> = {}, body = new Uint8Array([1, 2, 3])): NewTask => {
      const made = task(more);
      box.stage({ kind: "put_task", task: made, body });
      return made;
    };
    const keep = (...changes: Change[]): void => {
      for (const change of changes) box.stage(change);
      box.commit();
    };
    const alice = freshId();
    const polaris = freshId();
    const group = freshId();

    test("keeps a committed task envelope over a restart, with its bytes", () => {
      const made = put({ count: 7, rank: -5 });
      box.commit();
      box = opened.reopen();
      expect(box.task(made.id)).toMatchObject({ ...made, endpoint_id: polaris, group_id: group, done: 0, classes: {} });
      expect(box.bytes("tasks", made.seq)).toEqual(new Uint8Array([1, 2, 3]));
    });

    test("forgets what was staged and never committed, by a restart and by a rollback", () => {
      const lost = put();
      box = opened.reopen();
      expect(box.task(lost.id)).toBeUndefined();
      const undone = put();
      expect(box.task(undone.id)?.seq).toBe(undone.seq);
      box.rollback();
      expect(box.task(undone.id)).toBeUndefined();
      expect(box.bytes("tasks", undone.seq)).toBeUndefined();
    });

    test("never gives a number twice, whatever is deleted and however it ends", () => {
      const seen = new Set<number>();
      for (let round = 0; round < 4; round += 1) {
        for (let i = 0; i < 50; i += 1) {
          const seq = box.nextSeq();
          expect(seen.has(seq)).toBe(false);
          seen.add(seq);
          const bytes = new Uint8Array([1]);
          const endpoint = box.principalNo(polaris, "endpoint");
          box.stage({
            kind: "put_letter",
            seq,
            endpoint,
            letter: "receipt",
            id: freshId(),
            about: freshId(),
            due_ms: 9,
            bytes,
          });
          box.stage({ kind: "drop_letter", seq });
        }
        if (round % 2 === 0) box.commit();
        else box.rollback();
        box.commit();
        if (round === 2) box = opened.reopen();
      }
    });

    test("keeps large bodies as well as small ones, and lets them go with their envelope", () => {
      const large = new Uint8Array(300_000).fill(7);
      const made = put({}, large);
      box.commit();
      box = opened.reopen();
      expect(box.bytes("tasks", made.seq)).toEqual(large);
      keep({ kind: "move_task", seq: made.seq, from: "queued", to: "held", due_ms: 1 });
      expect(box.bytes("tasks", made.seq)).toBeUndefined();
      box = opened.reopen();
      expect(box.bytes("tasks", made.seq)).toBeUndefined();
      expect(box.task(made.id)?.state).toBe("held");
    });

    test("keeps a large body whose removal was rolled back", () => {
      const large = new Uint8Array(100_000).fill(9);
      const made = put({}, large);
      box.commit();
      box.stage({ kind: "move_task", seq: made.seq, from: "queued", to: "held", due_ms: 1 });
      box.rollback();
      expect(box.bytes("tasks", made.seq)).toEqual(large);
    });

    test("refuses a change of state that is not in the table", () => {
      const made = put();
      const move = (from: "held" | "queued" | "expired" | "gone", to: "held" | "queued" | "expired" | "gone") => () =>
        box.stage({ kind: "move_task", seq: made.seq, from, to, due_ms: 1 });
      expect(move("queued", "gone")).toThrow("never goes");
      expect(move("held", "queued")).toThrow("never goes");
      expect(move("held", "gone")).toThrow("was held");
      move("queued", "expired")();
      move("expired", "held")();
      move("held", "gone")();
      expect(box.task(made.id)?.state).toBe("gone");
    });

    test("queues by priority, then by arrival, from any place on", () => {
      const [a, b, c] = [put(), put({ rank: -10 }), put()];
      const held = put();
      keep({ kind: "move_task", seq: held.seq, from: "queued", to: "held", due_ms: 1 });
      const { endpoint } = a;
      const order = box.queue(endpoint, undefined, 10);
      expect(order.map((row) => row.seq)).toEqual([b.seq, a.seq, c.seq]);
      expect(order[0]).toEqual({ seq: b.seq, rank: -10, count: 1, size: 3 });
      expect(box.queue(endpoint, { rank: -10, seq: b.seq }, 1).map((row) => row.seq)).toEqual([a.seq]);
      expect(box.queue(endpoint, { rank: 0, seq: a.seq }, 10).map((row) => row.seq)).toEqual([c.seq]);
      expect(box.queuedCount(endpoint)).toBe(3);
    });

    test("tells news of an envelope and of a group in the order of their numbers, and drops them with it", () => {
      const [one, two] = [put(), put({ group_id: freshId() })];
      const news = (of: NewTask, kind: "accept" | "result" | "late") => {
        const seq = box.nextSeq();
        const change = { kind: "put_news", seq, task: of.seq, group: of.group, news: kind, id: freshId() } as const;
        box.stage({ ...change, bytes: new Uint8Array([seq & 255]) });
        return { ...change, seq };
      };
      const [a, b, c] = [news(one, "accept"), news(two, "accept"), news(one, "result")];
      const late = news(one, "late");
      box.commit();
      expect(box.newsOfTask(one.seq, 0, 10).map((row) => row.seq)).toEqual([a.seq, c.seq, late.seq]);
      expect(box.newsOfGroup(two.group, 0, 10).map((row) => row.seq)).toEqual([b.seq]);
      expect(box.newsOfTask(one.seq, a.seq, 1)).toEqual([{ seq: c.seq, task: one.seq, kind: "result", size: 1 }]);
      expect(box.hasNews(one.seq, c.id)).toBe(true);
      expect(box.hasNews(two.seq, c.id)).toBe(false);
      expect(box.task(one.id)?.late).toBe(1);
      box.stage({ kind: "move_task", seq: one.seq, from: "queued", to: "held", due_ms: 1 });
      keep({ kind: "move_task", seq: one.seq, from: "held", to: "gone", due_ms: 1 });
      expect(box.newsOfTask(one.seq, 0, 10)).toEqual([]);
      expect(box.bytes("news", c.seq)).toBeUndefined();
      expect(box.bytes("news", b.seq)).toBeDefined();
    });

    test("takes the same letter once while it waits", () => {
      const endpoint = box.principalNo(polaris, "endpoint");
      const [id, about] = [freshId(), freshId()];
      const letter = { kind: "put_letter", endpoint, letter: "cancel", id, about, due_ms: 5 } as const;
      const [first, second] = [box.nextSeq(), box.nextSeq()];
      keep(
        { ...letter, seq: first, bytes: new Uint8Array([1]) },
        { ...letter, seq: second, bytes: new Uint8Array([1]) },
      );
      expect(box.letters(endpoint, 0, 10)).toEqual([{ seq: first, kind: "cancel", about, size: 1 }]);
      expect(box.letters(endpoint, first, 10)).toEqual([]);
      expect(box.due(5, 10).letters).toEqual([first]);
      keep({ kind: "drop_letter", seq: first });
      expect(box.letters(endpoint, 0, 10)).toEqual([]);
      expect(box.bytes("letters", first)).toBeUndefined();
    });

    test("lists a user's envelopes, newest first, by group, prefix, ids and whether they are finished", () => {
      const other = put({ sender: box.principalNo(freshId(), "user") });
      const made = Array.from({ length: 5 }, () => put({ count: 2 }));
      const [a, b, c] = made as [NewTask, NewTask, NewTask];
      const sender = a.sender;
      keep({ kind: "mark_done", seq: b.seq, done: 2, set: undefined, classes: { ok: 1, fail: 1 }, due_ms: 4 });
      const ids = (query: object) => box.list({ sender, limit: 10, ...query }).map((row) => row.id);
      expect(ids({})).toEqual(made.map((row) => row.id).reverse());
      expect(ids({ before: c.seq })).toEqual([b.id, a.id]);
      expect(ids({ limit: 2 })).toHaveLength(2);
      expect(ids({ prefix: a.id.slice(0, 11) })).toEqual([a.id]);
      expect(ids({ prefix: other.id.slice(0, 11) })).toEqual([]);
      expect(ids({ ids: [a.id, other.id, freshId()] })).toEqual([a.id]);
      expect(ids({ unfinished: true })).not.toContain(b.id);
      expect(ids({ unfinished: true })).toHaveLength(4);
      expect(ids({ group })).toHaveLength(5);
      expect(ids({ group: freshId() })).toEqual([]);
      expect(box.list({ limit: 10 })).toHaveLength(6);
      expect(box.task(b.id)?.classes).toEqual({ ok: 1, fail: 1 });
    });

    test("says when something is due, and what", () => {
      expect(box.nextDue()).toBeUndefined();
      const [late, early] = [put({ due_ms: 500 }), put({ due_ms: 300 })];
      box.commit();
      expect(box.nextDue()).toBe(300);
      expect(box.due(299, 10).tasks).toEqual([]);
      expect(box.due(500, 10).tasks.map((row) => row.id)).toEqual([early.id, late.id]);
      expect(box.due(500, 1).tasks).toHaveLength(1);
      keep({ kind: "postpone", seq: early.seq, due_ms: 900 });
      expect(box.nextDue()).toBe(500);
    });

    test("frees an id and its group once the envelope is forgotten", () => {
      const made = put();
      box.stage({ kind: "move_task", seq: made.seq, from: "queued", to: "expired", due_ms: 1 });
      box.stage({ kind: "move_task", seq: made.seq, from: "expired", to: "gone", due_ms: 1 });
      keep({ kind: "forget_task", seq: made.seq });
      expect(box.task(made.id)).toBeUndefined();
      expect(box.findGroup(made.sender, group)).toBeUndefined();
      const again = put();
      box.commit();
      expect(box.newsOfGroup(again.group, 0, 1)).toEqual([]);
      expect(box.findGroup(made.sender, group)).toBe(again.group);
    });

    test("remembers principals, hints and invites", () => {
      const no = box.principalNo(polaris, "endpoint");
      expect(box.principals("endpoint")).toEqual([]);
      keep({ kind: "enrol", no, record: "{}", name: "polaris", at_ms: 5 });
      keep({ kind: "hint", no, name: "polaris-2", allow: [alice], is_public: false });
      keep({ kind: "seen", no, at_ms: 9 });
      const invite = { id: "i", secret_hash: "h", role: "user", name: undefined, uses: 2, expires_ms: 7 } as const;
      keep({ kind: "put_invite", invite }, { kind: "use_invite", id: "i" });
      box = opened.reopen();
      expect(box.principal(polaris)).toEqual({
        no,
        id: polaris,
        kind: "endpoint",
        record: "{}",
        name: "polaris-2",
        enrolled_ms: 5,
        removed_ms: undefined,
        seen_ms: 9,
        allow: [alice],
        is_public: false,
      });
      expect(box.invite("i")).toEqual({ ...invite, uses: 1 });
      keep({ kind: "remove", no, at_ms: 11 });
      expect(box.principals("endpoint")[0]?.removed_ms).toBe(11);
      expect(box.principalNo(polaris, "endpoint")).toBe(no);
    });

    test("counts what it keeps", () => {
      put();
      put();
      box.commit();
      expect(box.counts()).toEqual({ tasks: 2, queued: 2, news: 0, letters: 0 });
    });
  });
}
