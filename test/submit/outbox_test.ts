import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Outbox } from "../../core/submit/outbox.ts";
import { group, idNumber, parcel } from "./parcels.ts";

let root: string;
const open = (context = "local") => new Outbox({ outbox: join(root, "outbox"), sent: join(root, "sent") }, context);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gc-outbox-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("Outbox", () => {
  test("gives a later process what an earlier one kept", () => {
    open().put(parcel(1), true);
    const [found] = open().waiting();
    expect(found?.head).toEqual(parcel(1).head);
    expect(open().envelope(idNumber(1))).toEqual(parcel(1).envelope as never);
    expect(open().find(idNumber(1))?.tasks).toEqual(parcel(1).tasks as never);
  });

  test("keeps what only its owner may read", () => {
    open().put(parcel(1), true);
    expect(statSync(join(root, "outbox")).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, "outbox", `${idNumber(1)}.task`)).mode & 0o777).toBe(0o600);
  });

  test("gives a later process what was put without a promise, once the relay has it", () => {
    const outbox = open();
    outbox.put(parcel(1), false);
    expect(outbox.envelope(idNumber(1))).toEqual(parcel(1).envelope as never);
    expect(open().waiting()).toEqual([]);
    outbox.stored(idNumber(1), "e1");
    expect(open().waiting()).toEqual([{ head: parcel(1).head, epoch: "e1" }]);
    expect(open().envelope(idNumber(1))).toEqual(parcel(1).envelope as never);
    outbox.accepted(idNumber(1));
    expect(open().waiting()).toEqual([]);
    expect(open().last()).toBe(idNumber(1));
    expect(open().find(idNumber(1))?.tasks).toEqual(parcel(1).tasks as never);
  });

  test("knows what was put without a promise and is over before the relay said anything", () => {
    const outbox = open();
    outbox.put(parcel(1), false);
    outbox.accepted(idNumber(1));
    outbox.put(parcel(2), false);
    outbox.refused(idNumber(2), { t: "error", code: "submit.forbidden", message: "No" });
    outbox.put(parcel(3), false);
    outbox.withdrawn(idNumber(3));
    expect(open().waiting()).toEqual([]);
    expect(open().head(idNumber(1))?.where).toBe("sent");
    expect(open().head(idNumber(2))?.refused?.code).toBe("submit.forbidden");
    expect(open().head(idNumber(3))).toBeUndefined();
  });

  test("one with a key can be found from the moment it is put, and still be promised later", () => {
    const outbox = open();
    outbox.put(parcel(1, { key: "map:1" }), false);
    expect(open().waiting()).toEqual([{ head: parcel(1, { key: "map:1" }).head }]);
    expect(
      open()
        .list(9, group)
        .map(({ head }) => head.key),
    ).toEqual(["map:1"]);
    outbox.promised(idNumber(1));
    outbox.stored(idNumber(1), "e1");
    expect(open().waiting()[0]?.epoch).toBe("e1");
    outbox.accepted(idNumber(1));
    expect(open().head(idNumber(1))?.head.key).toBe("map:1");
  });

  test("a promise that comes later finds the envelope wherever it is by then", () => {
    const outbox = open();
    outbox.put(parcel(1), false);
    outbox.promised(idNumber(1));
    expect(open().waiting()).toEqual([{ head: parcel(1).head }]);
    outbox.stored(idNumber(1), "e1");
    expect(open().waiting()).toEqual([{ head: parcel(1).head, epoch: "e1" }]);
    outbox.put(parcel(2), false);
    outbox.stored(idNumber(2), "e1");
    outbox.promised(idNumber(2));
    outbox.put(parcel(3), false);
    outbox.accepted(idNumber(3));
    outbox.promised(idNumber(3));
    outbox.promised("never put" as never);
    const waiting = open().waiting();
    expect(waiting.map((each) => each.head.id).sort()).toEqual([idNumber(1), idNumber(2)].sort());
    expect(open().head(idNumber(3))?.where).toBe("sent");
  });

  test("remembers which relay has confirmed an envelope", () => {
    const outbox = open();
    outbox.put(parcel(1), true);
    outbox.stored(idNumber(1), "e1");
    expect(open().waiting()[0]?.epoch).toBe("e1");
    open().stored(idNumber(1), "../../evil");
    expect(open().waiting()[0]?.epoch).toBe("e1");
  });

  test("moves an accepted envelope out of the way and still knows it", () => {
    const outbox = open();
    outbox.put(parcel(1), true);
    outbox.stored(idNumber(1), "e1");
    outbox.accepted(idNumber(1));
    expect(readdirSync(join(root, "outbox"))).toEqual([]);
    expect(open().waiting()).toEqual([]);
    expect(open().head(idNumber(1))?.where).toBe("sent");
    expect(open().find(idNumber(1))?.tasks).toEqual(parcel(1).tasks as never);
  });

  test("says why an envelope was refused", () => {
    const outbox = open();
    outbox.put(parcel(1), true);
    outbox.refused(idNumber(1), { t: "error", code: "submit.forbidden", message: "No" });
    expect(open().head(idNumber(1))?.refused?.code).toBe("submit.forbidden");
  });

  test("waits only for envelopes of its own relay", () => {
    open().put(parcel(1), true);
    open("lab").put(parcel(2, { context: "lab" }), true);
    expect(
      open()
        .waiting()
        .map((found) => found.head.id),
    ).toEqual([idNumber(1)]);
    expect(
      open("lab")
        .waiting()
        .map((found) => found.head.id),
    ).toEqual([idNumber(2)]);
  });

  test("two processes may note the same acceptance", () => {
    const [one, two] = [open(), open()];
    one.put(parcel(1), true);
    two.waiting();
    one.accepted(idNumber(1));
    two.accepted(idNumber(1));
    expect(open().head(idNumber(1))?.where).toBe("sent");
  });

  test("lists newest first, finds by prefix, and knows the last", () => {
    const outbox = open();
    for (const number of [1, 2, 3]) {
      outbox.put(parcel(number), true);
      utimesSync(join(root, "outbox", `${idNumber(number)}.task`), number, number);
    }
    outbox.accepted(idNumber(2));
    expect(outbox.list(2).map((kept) => kept.head.id)).toEqual([idNumber(3), idNumber(2)]);
    expect(outbox.idsFrom(idNumber(1).slice(0, 12))).toEqual([idNumber(1)]);
    expect(open().last()).toBe(idNumber(3));
  });

  test("passes over a damaged file", () => {
    open().put(parcel(1), true);
    open().put(parcel(2), true);
    truncateSync(join(root, "outbox", `${idNumber(1)}.task`), 40);
    expect(
      open()
        .waiting()
        .map((found) => found.head.id),
    ).toEqual([idNumber(2)]);
    expect(() => open().envelope(idNumber(1))).toThrow("damaged");
  });

  test("forgets after 14 days", () => {
    const outbox = open();
    outbox.put(parcel(1), true);
    outbox.put(parcel(2), true);
    outbox.accepted(idNumber(1));
    utimesSync(join(root, "sent", `${idNumber(1)}.task`), 1, 1);
    outbox.sweep(Date.now());
    expect(open().head(idNumber(1))).toBeUndefined();
    expect(open().head(idNumber(2))).toBeDefined();
  });
});
