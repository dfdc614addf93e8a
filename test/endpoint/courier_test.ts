/** What an endpoint believes of its mail, and whom it obeys. */
import { beforeAll, describe, expect, test } from "bun:test";
import { AccessList } from "../../core/access/access_list.ts";
import type { CommandRule } from "../../core/access/command_list.ts";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { Courier } from "../../core/endpoint/courier.ts";
import type { EndpointEvent } from "../../core/endpoint/decision.ts";
import { composeCancel, composeLive, composeTasks } from "../../core/envelope/compose.ts";
import { Sealer } from "../../core/envelope/sealer.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { Dice, Life, World } from "../sim/world.ts";

const dice = new Dice(11);
const owner = openIdentity(makeIdentity("user", dice));
const friend = openIdentity(makeIdentity("user", dice));
const stranger = openIdentity(makeIdentity("user", dice));
const endpoint = openIdentity(makeIdentity("endpoint", dice));
const other = openIdentity(makeIdentity("endpoint", dice));
const host = new Life(new World(11), "e").host();
const sealer = new Sealer(dice);
const uuid = "22222222-2222-4222-8222-222222222222";

beforeAll(async () => {
  sealer.prepare(endpoint.record);
  sealer.prepare(other.record);
});

function courier(commands?: CommandRule[]): Courier {
  const list = new AccessList({ owner: owner.id, users: [friend.id], public: false, deny: [] });
  return new Courier(endpoint, list, { commands }, host);
}

function task(from: Identity, spec: TaskSpec, to: Identity = endpoint): Uint8Array {
  const nonce = Buffer.from(dice.bytes(16)).toString("hex");
  const common = { nonce, group: uuid, priority: 0, created_ms: 1, expires_ms: 2, on_lost: "rerun" as const };
  return composeTasks(from, to.record, sealer, { ...common, base: {}, tasks: [spec] }).bytes;
}

const tasksEvent = async (event: EndpointEvent | Promise<EndpointEvent>) => {
  const arrived = await event;
  if (arrived.t !== "tasks") throw new Error(`${arrived.t}: ${JSON.stringify(arrived)}`);
  return arrived;
};

describe("tasks", () => {
  test("of the owner and of a listed user are taken", async () => {
    for (const from of [owner, friend]) {
      expect((await tasksEvent(courier().mail(1, task(from, { argv: ["true"] })))).refused).toBeUndefined();
    }
  });

  test("of a stranger are refused with a reason for them", async () => {
    const { refused } = await tasksEvent(courier().mail(1, task(stranger, { argv: ["true"] })));
    expect(refused).toContain("may not submit tasks");
  });

  test("outside the list of commands are refused; a listed one is taken", async () => {
    const rules = [{ argv: ["hostname"] }];
    expect((await tasksEvent(courier(rules).mail(1, task(owner, { argv: ["hostname"] })))).refused).toBeUndefined();
    for (const spec of [{ argv: ["hostname", "-f"] }, { argv: ["/bin/hostname"] }, { script: "hostname" }]) {
      expect((await tasksEvent(courier(rules).mail(1, task(owner, spec)))).refused).toContain("only the commands");
    }
  });

  test("without a command are refused", async () => {
    expect((await tasksEvent(courier().mail(1, task(owner, {})))).refused).toContain("neither argv nor a script");
  });

  test("for another endpoint, altered or unsigned are no tasks at all", async () => {
    const good = task(owner, { argv: ["true"] });
    const altered = good.slice();
    altered[altered.length - 70] = (altered[altered.length - 70] ?? 0) ^ 1;
    const unsigned = good.slice();
    unsigned.fill(0, unsigned.length - 64);
    for (const bytes of [
      task(owner, { argv: ["true"] }, other),
      altered,
      unsigned,
      good.slice(0, 50),
      new Uint8Array(0),
    ]) {
      expect((await courier().mail(1, bytes)).t).toBe("bad_mail");
    }
  });
});

test("a cancel is taken from whoever signed it; whose task it is about is decided later", async () => {
  const bytes = composeCancel(stranger, endpoint.id, { id: uuid, re: idOf(), indices: [], created_ms: 1 }).bytes;
  expect(await courier().mail(4, bytes)).toMatchObject({ t: "cancel", seq: 4, header: { from: stranger.id } });
});

describe("live", () => {
  const live = (from: Identity, session: string, messages: Frameable[]): Uint8Array =>
    composeLive(from, endpoint.record, sealer, { id: newId(), session, created_ms: 1, messages }).bytes;
  const order = { t: "order", rid: 1, boot: "b", what: "stop" } as Frameable;

  test("an envelope made for another connection is refused", () => {
    expect(() => courier().live("s2", live(owner, "s1", [order]))).toThrow("another connection");
  });

  test("an order that is played again is refused", async () => {
    const desk = courier();
    const bytes = live(owner, "s", [order]);
    expect(await desk.live("s", bytes)).toHaveLength(1);
    expect(async () => desk.live("s", bytes)).toThrow("played before");
  });

  test("a stranger learns nothing of the endpoint's state and gives no orders", async () => {
    const asks = [{ t: "ask_status", rid: 1 }, { t: "ask_log", rid: 2, lines: 5 }, order] as Frameable[];
    for (const ask of asks) expect(await courier().live("s", live(stranger, "s", [ask]))).toEqual([]);
    for (const ask of asks) expect(await courier().live("s", live(owner, "s", [ask]))).toHaveLength(1);
  });

  test("a message of an unknown kind is refused", async () => {
    const bytes = live(owner, "s", [{ t: "report" } as Frameable]);
    expect(async () => courier().live("s", bytes)).toThrow("malformed");
  });
});

function newId(): string {
  const hex = Buffer.from(dice.bytes(16)).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function idOf(): string {
  return "33333333-3333-8333-8333-333333333333";
}
