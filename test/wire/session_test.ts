/** The session, without sockets: messages and times in, effects out. */
import { describe, expect, test } from "bun:test";
import { GcError } from "../../core/errors.ts";
import type { Hello, Refuse, Welcome, WireError } from "../../core/schema/session_message.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { partsOf } from "../../core/wire/parts.ts";
import { Session, type SessionEffect } from "../../core/wire/session.ts";
import { newIdentity } from "./parties.ts";

import { acceptorSide, openerSide, Pair, relay, sendsOf, timing, upSession } from "./session_pair.ts";

describe("opening", () => {
  test("hello, auth and welcome bring both sides up, with the peer that was proved", () => {
    const pair = new Pair(openerSide(), acceptorSide());
    expect(pair.kinds("opener")).toEqual(["up"]);
    expect(pair.kinds("acceptor")).toEqual(["up"]);
    const up = pair.out.opener.find((effect) => effect.kind === "up");
    expect(up?.kind === "up" && [up.peer.role, up.peer.id, up.welcome.session, up.welcome.limits]).toEqual([
      "relay",
      relay.id,
      "s",
      { window: 3 },
    ]);
  });

  test("messages behind the welcome in the same frame are delivered", () => {
    const opener = new Session(openerSide(), 0, timing);
    const side = acceptorSide();
    const out: SessionEffect[] = [];
    opener.message(encodeFrame([side.hello]), 0, out);
    const welcome: Welcome = { t: "welcome", proto: 1, epoch: "e", session: "s", time_ms: 0, features: [], limits: {} };
    opener.message(encodeFrame([welcome, { t: "mail" }, { t: "ping" }]), 0, out);
    expect(out.map((effect) => effect.kind)).toEqual(["send", "up", "send", "messages"]);
    expect(sendsOf(out).map(({ t }) => t)).toEqual(["auth", "pong"]);
  });

  test("unknown keys in hello, auth and welcome are ignored", () => {
    const side = acceptorSide();
    Object.assign(side.hello, { future: { deep: [1] } });
    expect(new Pair(openerSide(), side).kinds("opener")).toEqual(["up"]);
  });

  test("a relay with another key than the known one is refused, and the error names both ids", () => {
    const known = newIdentity("relay");
    const pair = new Pair(openerSide(known.id), acceptorSide());
    const { error } = pair.closeOf("opener");
    expect([error.kind, error.code]).toEqual(["permission", "relay.swapped"]);
    expect(error.message).toContain(known.id);
    expect(error.message).toContain(relay.id);
    expect(pair.kinds("acceptor")).toEqual([]);
  });

  test("a relay that claims the known id with another key is refused", () => {
    const known = newIdentity("relay");
    for (const [lie, code] of [
      [{ id: known.id }, "relay.swapped"],
      [{ id: known.id, record: known.record }, "relay.bad_proof"],
      [{ id: known.id, record: undefined }, "relay.no_proof"],
      [{ id: known.id, record: { ...relay.record, id: known.id } }, "key.wrong_id"],
    ] as const) {
      const side = acceptorSide();
      side.hello = JSON.parse(JSON.stringify({ ...side.hello, ...lie })) as Hello;
      expect(new Pair(openerSide(known.id), side).closeOf("opener").error.code).toBe(code);
    }
  });

  test("a proof for one relay, one nonce, one role or one version is worth nothing for another", () => {
    const side = acceptorSide();
    const honest = openerSide();
    for (const other of [{ id: newIdentity("relay").id }, { nonce: "cd".repeat(32) }]) {
      const lying = { ...honest, prove: (hello: Hello, proto: number) => honest.prove({ ...hello, ...other }, proto) };
      expect(new Pair(lying, side).closeOf("opener").error.code).toBe("auth.bad_proof");
    }
    const wrongProto = { ...honest, prove: (hello: Hello) => honest.prove(hello, 2) };
    expect(new Pair(wrongProto, side).closeOf("opener").error.code).toBe("auth.bad_proof");
    expect(new Pair({ ...honest, role: "endpoint" }, side).closeOf("opener").error.code).toBe("auth.wrong_record");
    expect(new Pair({ ...honest, id: newIdentity("user").id }, side).closeOf("opener").error.code).toBe(
      "auth.wrong_record",
    );
  });

  test("a refusal reaches the opener with kind, code, sentence, hint and waiting time", () => {
    const refusal = new GcError("temporary", "invite.later", "Come back later", {
      hint: "gc login",
      retry_after_ms: 1500,
    });
    const pair = new Pair(
      openerSide(),
      acceptorSide(() => {
        throw refusal;
      }),
    );
    expect(pair.closeOf("opener").error).toMatchObject({
      kind: "temporary",
      code: "invite.later",
      message: "Come back later",
      hint: "gc login",
      retry_after_ms: 1500,
    });
    expect(pair.closeOf("acceptor").error).toBe(refusal);
  });

  test("a bug in the acceptor is not sent to the opener", () => {
    const side = acceptorSide(() => {
      throw new TypeError("bug");
    });
    expect(() => new Pair(openerSide(), side)).toThrow("bug");
  });
});

describe("versions", () => {
  test("the highest common version is taken", () => {
    const side = acceptorSide();
    side.hello.proto = [1, 3];
    const pair = new Pair(openerSide(), side, { opener: [1, 2], acceptor: [1, 3] });
    const up = pair.out.acceptor.find((effect) => effect.kind === "up");
    expect(up?.kind === "up" && up.welcome.proto).toBe(2);
  });

  test("without a common version the opener says which side is old, and sends no proof", () => {
    for (const [opener, acceptor, old] of [
      [[1, 1], [2, 3], "opened"],
      [[4, 5], [1, 3], "accepted"],
    ] as [[number, number], [number, number], string][]) {
      const side = acceptorSide();
      side.hello.proto = acceptor;
      const pair = new Pair(openerSide(), side, { opener, acceptor });
      const { error } = pair.closeOf("opener");
      expect([error.kind, error.code]).toEqual(["protocol", "link.version"]);
      expect(error.hint).toContain(`where the link was ${old}`);
      expect(pair.acceptor.up).toBe(false);
    }
  });

  test("an auth in a version outside the range is refused by a typed answer", () => {
    const acceptor = new Session(acceptorSide(), 0, timing);
    const out: SessionEffect[] = [];
    acceptor.message(
      encodeFrame([{ t: "auth", proto: 9, role: "user", id: "x", proof: "", instance: "", software: "" } as Frameable]),
      0,
      out,
    );
    expect(sendsOf(out)).toMatchObject([{ t: "refuse", kind: "protocol", code: "link.version" }]);
    expect(out.at(-1)?.kind).toBe("close");
  });
});

describe("bad input before the session is open", () => {
  const cases: [string, Uint8Array | undefined, string][] = [
    ["a frame above 8 KiB", new Uint8Array(8 * 1024 + 1), "wire.too_large"],
    ["parts", partsOf(new Uint8Array(1024 * 1024))[0], "wire.too_large"],
    ["text", undefined, "wire.malformed"],
    ["an empty frame", new Uint8Array(0), "wire.malformed"],
    ["noise", new Uint8Array(64).fill(0xff), "wire.malformed"],
    ["another message than auth", encodeFrame([{ t: "submit" }]), "wire.malformed"],
    ["a ping", encodeFrame([{ t: "ping" }]), "wire.malformed"],
    ["an auth without fields", encodeFrame([{ t: "auth" }]), "data.invalid"],
    ["an auth with a role that is none", encodeFrame([{ t: "auth", role: "relay" } as Frameable]), "data.invalid"],
  ];
  for (const [what, frame, code] of cases) {
    test(`${what} is answered by a typed refusal and the end`, () => {
      const acceptor = new Session(acceptorSide(), 0, timing);
      const out: SessionEffect[] = [];
      acceptor.message(frame, 0, out);
      expect(sendsOf(out)).toMatchObject([{ t: "refuse", code }]);
      expect(out.at(-1)).toMatchObject({ kind: "close", code: 4001 });
      acceptor.message(encodeFrame([{ t: "ping" }]), 0, out);
      expect(out).toHaveLength(2);
    });
  }

  test("an opener ends when what answers is no gc", () => {
    for (const frame of [
      undefined,
      new Uint8Array(9000),
      encodeFrame([{ t: "welcome" }]),
      encodeFrame([{ t: "hello" }]),
    ]) {
      const opener = new Session(openerSide(), 0, timing);
      const out: SessionEffect[] = [];
      opener.message(frame, 0, out);
      expect(out.at(-1)?.kind).toBe("close");
      expect(opener.up).toBe(false);
    }
  });

  test("who does not finish in 10 s is out, on either side", () => {
    for (const side of [openerSide(), acceptorSide()]) {
      const session = new Session(side, 500, timing);
      const out: SessionEffect[] = [];
      expect(session.due_ms).toBe(10_500);
      session.tick(10_499, out);
      expect(out).toEqual([]);
      session.tick(10_500, out);
      expect(out).toMatchObject([{ kind: "close", error: { kind: "unavailable", code: "link.timeout" } }]);
      expect(session.due_ms).toBe(Number.POSITIVE_INFINITY);
    }
  });
});

describe("bad input when the session is up", () => {
  test("a malformed frame is answered by an error, then the end", () => {
    const { session, out, now_ms } = upSession("acceptor");
    session.message(new Uint8Array([9, 0, 0, 0]), now_ms, out);
    expect(sendsOf(out)).toMatchObject([{ t: "error", code: "wire.malformed" }]);
    expect(out.at(-1)).toMatchObject({ kind: "close", code: 4000 });
  });

  test("a message of the opening is answered by an error and the session stays", () => {
    for (const t of ["hello", "auth", "welcome", "refuse"]) {
      const { session, out, now_ms } = upSession("acceptor");
      session.message(encodeFrame([{ t }, { t: "mail" }]), now_ms, out);
      expect(sendsOf(out)).toMatchObject([{ t: "error", code: "message.unexpected" }]);
      expect(out.at(-1)).toMatchObject({ kind: "messages", messages: [{ t: "mail" }] });
      expect(session.up).toBe(true);
    }
  });

  test("an error that answers nothing is noted and never answered, so two sides cannot send errors for ever", () => {
    const { session, out, now_ms } = upSession("opener");
    const error: WireError = { t: "error", code: "message.unknown", message: "?" };
    session.message(encodeFrame([error]), now_ms, out);
    expect(out).toMatchObject([{ kind: "note", error: { code: "message.unknown" } }]);
    out.length = 0;
    session.message(encodeFrame([{ ...error, re: 4 } as Frameable]), now_ms, out);
    expect(out).toMatchObject([{ kind: "messages", messages: [{ t: "error", re: 4 }] }]);
    out.length = 0;
    session.message(encodeFrame([{ t: "error", code: 3 } as Frameable]), now_ms, out);
    expect(out).toEqual([]);
  });

  test("kinds that are names of Object.prototype are ordinary unknown messages", () => {
    const { session, out, now_ms } = upSession("acceptor");
    session.message(encodeFrame([{ t: "constructor" }, { t: "__proto__" }]), now_ms, out);
    expect(out).toMatchObject([{ kind: "messages", messages: [{ t: "constructor" }, { t: "__proto__" }] }]);
  });
});

test("what a session sends can be read by the codec", () => {
  const out: SessionEffect[] = [];
  new Session(acceptorSide(), 0, timing).start(out);
  expect(decodeFrame(encodeFrame(sendsOf(out)))).toMatchObject([{ t: "hello", id: relay.id }] satisfies Partial<
    Refuse | Hello
  >[]);
});
