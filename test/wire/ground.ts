/**
 * What the scenarios of the wire stand on. A scenario is a promise with a way to see it kept; the same list runs from
 * sources (`link_test.ts`) and inside an executable (`compiled_test.ts`), because there npm `ws` is Bun's own.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket as RawSocket } from "ws";
import { GcError } from "../../core/errors.ts";
import type { Host } from "../../core/host/host.ts";
import { linkPath } from "../../core/host/websocket.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { type Address, listen } from "../../core/wire/link.ts";
import type { Timing } from "../../core/wire/session.ts";
import { echo, newIdentity, newUser, openRelay, quietHost, Witness } from "./parties.ts";

/** A promise of the wire, and how to see it kept. `run` throws when it is broken. */
export interface Scenario {
  name: string;
  run(ground: Ground): Promise<void>;
}

/** What a scenario may use, and what is undone after it. */
export class Ground {
  readonly dir = mkdtempSync(join(tmpdir(), "gc-wire-"));
  readonly host: Host = quietHost();
  readonly #undo: (() => unknown)[] = [];

  socket(name = "x"): string {
    return join(this.dir, `${name}.sock`);
  }

  /** `act` is called at the end, last first. */
  later(act: () => unknown): void {
    this.#undo.push(act);
  }

  async end(): Promise<void> {
    for (const act of this.#undo.reverse()) await act();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A relay on a Unix socket that sends everything back. */
  async echoRelay(timing?: Timing): Promise<{ address: Address; path: string; seen: Witness; relay_id: string }> {
    const relay = newIdentity("relay");
    const seen = new Witness(echo);
    const path = this.socket();
    const listening = await listen({ unix: path }, openRelay(relay), seen, this.host, undefined, timing);
    this.later(() => listening.close());
    return { address: { kind: "unix", path }, path, seen, relay_id: relay.id };
  }

  /** A WebSocket without a session, for bad manners. */
  async raw(path: string, headers: { [name: string]: string } = {}): Promise<Raw> {
    const raw = new Raw(path, headers);
    this.later(() => raw.socket.terminate());
    await raw.opened;
    return raw;
  }
}

/** A raw WebSocket that remembers what it heard. */
export class Raw {
  readonly socket: RawSocket;
  readonly heard: Frameable[] = [];
  readonly opened: Promise<void>;
  readonly ended: Promise<number>;

  constructor(path: string, headers: { [name: string]: string }) {
    this.socket = new RawSocket(`ws+unix://${path}:/${linkPath}`, { headers, perMessageDeflate: false });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", () => resolve());
      this.socket.on("error", reject);
      this.socket.on("unexpected-response", (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
    });
    this.ended = new Promise((resolve) => this.socket.on("close", (code: number) => resolve(code)));
    this.socket.on("message", (data: Buffer) => this.heard.push(...decodeFrame(data)));
  }
}

/** For scenarios in which time must pass. */
export const quick: Timing = { auth_ms: 150, ping_ms: 100, silence_ms: 300 };

/** The error that `act` ends with. */
export async function failureOf(act: Promise<unknown>): Promise<GcError> {
  try {
    await act;
  } catch (error) {
    assert.ok(error instanceof GcError, `not a GcError: ${String(error)}`);
    return error;
  }
  throw new Error("It did not fail");
}

/** A raw WebSocket whose session is up. */
export async function authenticated(ground: Ground, path: string): Promise<Raw> {
  const raw = await ground.raw(path);
  const self = newUser();
  await heard(raw, "hello");
  const hello = raw.heard[0] as unknown as Parameters<typeof self.prove>[0];
  const { role, id, record, instance } = self;
  const auth = { t: "auth", proto: 1, role, id, record, instance, proof: self.prove(hello, 1), software: "raw" };
  raw.socket.send(encodeFrame([auth as Frameable]));
  await heard(raw, "welcome");
  return raw;
}

async function heard(raw: Raw, t: string): Promise<void> {
  while (!raw.heard.some((each) => each.t === t)) {
    await new Promise<void>((resolve) => raw.socket.once("message", () => resolve()));
  }
}
