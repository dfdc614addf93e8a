/**
 * A relay in a test: the production RelayState over a real mailbox, a clock that the test moves, and memory links to
 * users and endpoints that the test plays by hand.
 */
import { afterEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import {
  composeAccept,
  composeCancel,
  composeReceipt,
  composeResult,
  composeTasks,
} from "../../core/envelope/compose.ts";
import { digestOf, type Envelope, readEnvelope } from "../../core/envelope/envelope.ts";
import { Sealer } from "../../core/envelope/sealer.ts";
import type { Random } from "../../core/host/host.ts";
import { runInTurns, type Turns } from "../../core/host/turn.ts";
import type { RelayEffect, RelayEvent } from "../../core/relay/event.ts";
import { defaultLimits, type RelayLimits } from "../../core/relay/limits.ts";
import type { Mailbox } from "../../core/relay/mailbox.ts";
import { performEffects } from "../../core/relay/performing.ts";
import { SqliteMailbox } from "../../core/relay/sqlite_mailbox.ts";
import { RelayState } from "../../core/relay/state.ts";
import type { ResultHeader, TaskHeader } from "../../core/schema/envelope.ts";
import type { Credit, Mail, News } from "../../core/schema/relay_message.ts";
import type { Result } from "../../core/schema/result.ts";
import { formatUuid } from "../../core/task/id.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import type { Link } from "../../core/wire/link.ts";
import { memoryLink } from "../../core/wire/memory_link.ts";

/** Repeatable randomness. */
export function seeded(seed: number): Random {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  return { bytes: (count) => Uint8Array.from({ length: count }, () => next() * 256), uniform: next };
}

export const random = seeded(20261125);

export function freshId(): string {
  return formatUuid(random.bytes(16));
}

/** One end of a link, with everything that came in. */
export class Person {
  readonly identity: Identity;
  readonly heard: Frameable[] = [];
  link!: Link;
  closed: string | undefined;
  private rid = 0;

  constructor(identity: Identity) {
    this.identity = identity;
  }

  get id(): string {
    return this.identity.id;
  }

  say(message: object): number {
    this.rid += 1;
    this.link.send([{ rid: this.rid, ...message } as unknown as Frameable]);
    return this.rid;
  }

  /** What came with this kind since the last question for it. */
  take<M extends Frameable>(t: M["t"]): M[] {
    const found = this.heard.filter((message) => message.t === t);
    for (const message of found) this.heard.splice(this.heard.indexOf(message), 1);
    return found as M[];
  }
}

export interface Town {
  readonly mailbox: Mailbox;
  readonly dir: string | undefined;
  now_ms: number;
  state(): RelayState;
  join(kind: "user" | "endpoint", options?: JoinOptions): Person;
  /** A new connection of the same person. */
  rejoin(person: Person, options?: JoinOptions): void;
  leave(person: Person): void;
  /** Lets everything that is under way arrive and be dealt with. */
  settle(): void;
  /** Moves both clocks. */
  pass(ms: number): void;
  /** Kills the relay as by kill -9 and starts it again on what is on disk. */
  restart(): void;
  push(event: Happening): void;
  close(): void;
}

type WithoutMoment<E> = E extends unknown ? Omit<E, "at"> : never;
export type Happening = WithoutMoment<RelayEvent>;

export interface JoinOptions {
  /** Over TCP. */
  remote?: boolean;
  instance?: string;
  identity?: Identity;
}

/** Opens a town. With `on_disk` its mailbox is a file, else it is in memory. */
export function openTown(options: { on_disk?: boolean; limits?: Partial<RelayLimits> } = {}): Town {
  const dir = options.on_disk ? mkdtempSync(join(tmpdir(), "gc-relay-")) : undefined;
  const limits = { ...defaultLimits, ...options.limits };
  const openMailbox = (): SqliteMailbox =>
    dir === undefined
      ? new SqliteMailbox({ path: ":memory:", new_epoch: "epoch-1" })
      : new SqliteMailbox({ path: join(dir, "relay.db"), bodies: join(dir, "bodies"), new_epoch: "epoch-1" });
  let mailbox = openMailbox();
  let state = new RelayState(mailbox, limits);
  let failure: unknown;
  let sessions = 0;
  const wire: (() => void)[] = [];
  const sides = new Map<Person, { cut(reason?: string): void }>();
  let turns: Turns<RelayEvent>;
  const town: Town = {
    get mailbox() {
      return mailbox;
    },
    dir,
    now_ms: 1_790_000_000_000,
    state: () => state,
    join(kind, join_options = {}) {
      const person = new Person(join_options.identity ?? openIdentity(makeIdentity(kind, random)));
      town.rejoin(person, join_options);
      return person;
    },
    rejoin(person, { remote = false, instance = freshId() } = {}) {
      sessions += 1;
      const { record } = person.identity;
      mailbox.principalNo(record.id, record.kind as "user");
      const no = mailbox.findPrincipal(record.id) ?? 0;
      mailbox.stage({ kind: "enrol", no, record: JSON.stringify(record), name: "", at_ms: town.now_ms });
      mailbox.commit();
      const pair = memoryLink(
        {
          self: { role: record.kind, id: record.id, record, instance, local: !remote },
          events: {
            up: (link) => {
              person.link = link;
              person.closed = undefined;
            },
            messages: (_, messages) => void person.heard.push(...messages),
            down: (_, reason) => {
              person.closed = reason.message;
            },
          },
        },
        {
          self: { role: "relay", id: "relay", instance: "r", local: !remote },
          events: {
            up: (link) => town.push({ kind: "up", link }),
            messages: (link, messages) => town.push({ kind: "messages", link, messages }),
            down: (link) => link !== undefined && town.push({ kind: "down", link }),
          },
        },
        {
          session: `session-${sessions}`,
          epoch: mailbox.epoch,
          carry: (_direction, _bytes, arrive) => void wire.push(arrive),
        },
      );
      sides.set(person, pair);
      town.settle();
    },
    leave(person) {
      sides.get(person)?.cut("left");
      town.settle();
    },
    settle() {
      do {
        for (let arrive = wire.shift(); arrive !== undefined; arrive = wire.shift()) arrive();
        turns.flush();
        if (failure !== undefined) throw failure;
      } while (wire.length > 0);
    },
    pass(ms) {
      town.now_ms += ms;
      // A clean-up goes in steps, each asking for the next one.
      for (let i = 0; i < 1000 && state.nextTick(at()) === 0; i += 1) {
        town.push({ kind: "tick" });
        town.settle();
      }
    },
    restart() {
      for (const pair of sides.values()) pair.cut("the relay died");
      wire.length = 0;
      mailbox.close();
      if (dir === undefined) throw new Error("Only a town on disk can restart");
      mailbox = openMailbox();
      begin();
    },
    push(event) {
      turns.push({ ...event, at: at() } as RelayEvent);
    },
    close() {
      mailbox.close();
      if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
  const at = () => ({ now_ms: town.now_ms, mono_ms: town.now_ms - 1_780_000_000_000 });
  const begin = (): void => {
    state = new RelayState(mailbox, limits);
    const part = {
      decide: state.decide.bind(state),
      keep: state.keep.bind(state),
      perform: (effects: readonly RelayEffect[]) => performEffects(effects, () => {}),
    };
    turns = runInTurns(
      part,
      () => {},
      (error) => {
        failure = error;
      },
    );
  };
  begin();
  return town;
}

export const sealer = new Sealer(random);

/** A task envelope from one to the other. */
export async function makeTasks(
  from: Person,
  to: Person,
  options: {
    count?: number;
    group?: string;
    priority?: number;
    life_ms?: number;
    argv?: string[];
    at_ms?: number;
  } = {},
): Promise<Envelope<TaskHeader>> {
  sealer.prepare(to.identity.record);
  const { count = 1, at_ms = 1_790_000_000_000 } = options;
  return composeTasks(from.identity, to.identity.record, sealer, {
    nonce: Buffer.from(random.bytes(16)).toString("hex"),
    group: options.group ?? freshId(),
    priority: options.priority ?? 0,
    created_ms: at_ms,
    expires_ms: at_ms + (options.life_ms ?? 14 * 24 * 3600 * 1000),
    on_lost: "rerun",
    base: { argv: options.argv ?? ["true"] },
    tasks: Array.from({ length: count }, () => ({})),
  });
}

export function acceptOf(endpoint: Person, task: Uint8Array): Uint8Array {
  const { header } = readEnvelope(task);
  return composeAccept(endpoint.identity, header.from, {
    re: header.id,
    digest: digestOf(task),
    id: freshId(),
    created_ms: 1,
  }).bytes;
}

export async function resultOf(
  endpoint: Person,
  user: Person,
  task: Envelope<TaskHeader>,
  indices: number[],
  text = "",
  id = freshId(),
): Promise<Envelope<ResultHeader>> {
  sealer.prepare(user.identity.record);
  const output = { total: text.length, kept: text.length, ...(text === "" ? {} : { text }) };
  const result: Result = {
    outcome: { class: "ok", cause: "exit", exit_code: 0 },
    stdout: output,
    stderr: { total: 0, kept: 0 },
    attempt: 1,
    started_ms: 1,
    ended_ms: 2,
    host: "h",
  };
  const { id: re, group } = task.header;
  return composeResult(endpoint.identity, user.identity.record, sealer, {
    id,
    re,
    group,
    created_ms: 1,
    indices,
    results: indices.map(() => result),
  });
}

export function receiptOf(user: Person, task: Envelope<TaskHeader>, indices: number[]): Uint8Array {
  const { id: re, to } = task.header;
  return composeReceipt(user.identity, to, { id: freshId(), re, indices, created_ms: 1 }).bytes;
}

export function cancelOf(user: Person, task: Envelope<TaskHeader>, indices: number[] = []): Uint8Array {
  const { id: re, to } = task.header;
  return composeCancel(user.identity, to, { id: freshId(), re, indices, created_ms: 1 }).bytes;
}

/** Credit of an endpoint. */
export function give(endpoint: Person, room = 100_000, more: Partial<Credit> = {}): void {
  endpoint.say({ t: "credit", room, ...more });
}

/** Acknowledges mail, with an accept for each task envelope in it. */
export function ack(endpoint: Person, mail: Mail): void {
  const tasks = mail.bytes.filter((bytes) => readEnvelope(bytes).header.kind === "task");
  endpoint.say({ t: "mail_ack", seqs: mail.seqs, bytes: tasks.map((bytes) => acceptOf(endpoint, bytes)) });
}

/** Kinds of the envelopes in a piece of news or mail. */
export function kindsOf(message: Mail | News): string[] {
  return (message.bytes ?? []).map((bytes) => readEnvelope(bytes).header.kind);
}

export const hour_ms = 3_600_000;
export const day_ms = 24 * hour_ms;

/** Opens towns for the tests of one file, each closed when its test is over. */
export function townsOfTests() {
  let towns: Town[] = [];
  afterEach(() => {
    for (const each of towns) each.close();
    towns = [];
  });
  const town: typeof openTown = (options) => {
    const made = openTown(options);
    towns.push(made);
    return made;
  };
  /** A town with a user, and an endpoint that has this much room. */
  const pair = (options: Parameters<typeof openTown>[0] = {}, room = 100_000) => {
    const t = town(options);
    const user = t.join("user");
    const endpoint = t.join("endpoint");
    give(endpoint, room);
    t.settle();
    return { t, user, endpoint };
  };
  return { town, pair };
}

/** Ids of the envelopes in a message. */
export function idsIn(message: { bytes?: Uint8Array[] } | undefined): string[] {
  return (message?.bytes ?? []).map((bytes) => readEnvelope(bytes).header.id);
}
