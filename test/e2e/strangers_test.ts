import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { composeTasks } from "../../core/envelope/compose.ts";
import { Sealer } from "../../core/envelope/sealer.ts";
import { freePort } from "../../core/host/free_port.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { type Link, openLink, principalSelf } from "../../core/wire/link.ts";
import { silent } from "./hostile_relay.ts";
import { Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

/** One who has a relay and an endpoint, and another who was invited to the relay. */
const anna = new Throwaway();
const ben = new Throwaway();
let lab = "";
let ben_id = "";
/** The relay is to come back to the same one. */
const port = await freePort("127.0.0.1");

beforeAll(async () => {
  await anna.must(["relay", "up", "--listen", `127.0.0.1:${port}`, "--detach"]);
  await ben.must(["login", "-"], { stdin: await anna.must(["relay", "invite", "--quiet"]) });
  ben_id = await ben.must(["whoami", "--quiet"]);
  lab = /[0-9a-f-]{36}/.exec(await anna.must(["endpoint", "configure", "lab", "--yes"]))?.[0] ?? "";
  await anna.must(["endpoint", "start", "--detach", "lab"]);
}, 20_000);
afterAll(async () => {
  await ben.close();
  await anna.close();
});

describe("a user whom an endpoint does not know", () => {
  test("does not even see it", async () => {
    expect(await ben.must(["endpoint", "list"])).not.toContain("lab");
    for (const name of ["lab", lab, lab.slice(0, 8)]) {
      const run = await ben.gc(["run", "-e", name, "--", "true"]);
      expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 125, stdout: "" });
    }
    for (const words of [["stop"], ["status"], ["pause"], ["restart"]]) {
      const { code } = await ben.gc(["endpoint", ...words, lab]);
      expect(code).toBeOneOf([66, 77]);
    }
    expect(await anna.must(["run", "-e", "lab", "--", "echo", "alive"])).toBe("alive");
  }, 20_000);

  test("is let in by its owner, and when that ends gets a refusal with the reason", async () => {
    const configure = ["endpoint", "configure", "lab", "--yes", "--force"];
    await anna.must([...configure, "--allow-user", ben_id]);
    await anna.must(["endpoint", "restart", "lab"]);
    // The relay hears of it a moment after the start.
    const letIn = async () => (await ben.gc(["run", "-e", "lab", "--", "echo", "let in"])).stdout === "let in\n";
    await until(letIn, "the relay to know that he is let in");

    await anna.must(configure);
    await anna.must(["endpoint", "restart", "lab"]);
    const witness = join(ben.cwd, "witness");
    const run = await ben.gc(["run", "-e", "lab", "--", "touch", witness]);
    expect({ code: run.code, stdout: run.stdout, hung: run.hung }).toEqual({ code: 125, stdout: "", hung: false });
    expect(run.stderr).toMatch(/does not let you submit|may not submit/);
    expect(run.stderr).not.toContain(anna.dir);
    expect(existsSync(witness)).toBe(false);
  }, 30_000);
});

describe("an invite", () => {
  const join_ = (invite: string, place = new Throwaway()) => ({
    place,
    ended: place.gc(["login", "-"], { stdin: invite }),
  });

  test("is good once, for its role, for its time, and as it was made", async () => {
    const used = await anna.must(["relay", "invite", "--quiet"]);
    const brief = await anna.must(["relay", "invite", "--quiet", "--ttl", "1s"]);
    const expires_ms = Date.now() + 1100;
    const role = await anna.must(["relay", "invite", "--quiet", "--role", "endpoint"]);
    const first = join_(used);
    expect((await first.ended).code).toBe(0);
    const altered = JSON.parse(Buffer.from(used.replace("gcj1.", ""), "base64url").toString());
    const remade = (change: object) =>
      `gcj1.${Buffer.from(JSON.stringify({ ...altered, ...change })).toString("base64url")}`;
    const bad: [string, RegExp][] = [
      [used, /used/],
      [remade({ secret: "A".repeat(22) }), /never made|unknown/],
      [remade({ relay_id: altered.relay_id.replace(/^./, (c: string) => (c === "0" ? "1" : "0")) }), /relay|key/],
      [remade({ cert_sha256: "0".repeat(64) }), /certificate/],
      [role, /endpoint/],
      ["gcj1.%%%", /invite/i],
    ];
    await until(() => Date.now() > expires_ms, "the invite to expire");
    bad.push([brief, /expired/]);
    const places = [first.place];
    for (const [invite, says] of bad) {
      const { place, ended } = join_(invite);
      places.push(place);
      const { code, stderr, stdout, hung } = await ended;
      expect({ says, stdout, hung }).toEqual({ says, stdout: "", hung: false });
      expect(code).toBeGreaterThan(0);
      expect(stderr).toMatch(says);
      // Nothing is remembered of a relay that was not joined.
      expect((await place.gc(["context", "list"])).stdout).not.toContain("127.0.0.1");
    }
    for (const place of places) await place.close();
  }, 40_000);
});

describe("the relay, spoken to by a hostile client", () => {
  let link: Link;
  const heard: Frameable[] = [];
  const mallory: Identity = openIdentity(makeIdentity("user", silent.random));
  const sealer = new Sealer(silent.random);

  beforeAll(async () => {
    const self = principalSelf(mallory, { instance: crypto.randomUUID() });
    // Over the socket that belongs to the owner alone: who gets here is enrolled without an invite.
    link = await openLink(
      { kind: "unix", path: join(anna.home, "run/relay.sock") },
      self,
      { up() {}, down() {}, messages: (_, messages) => void heard.push(...messages) },
      silent,
    );
  });
  afterAll(() => link.close());

  let rid = 0;
  /** Sends a request, and waits for its answer. */
  async function ask(message: object): Promise<{ [field: string]: unknown }> {
    const mine = ++rid;
    link.send([{ ...message, rid: mine } as unknown as Frameable]);
    return until(
      () => heard.map((m) => m as unknown as { [field: string]: unknown }).find((m) => m.re === mine) ?? false,
      "an answer",
    );
  }

  const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));

  test("takes no task for an endpoint that does not want him, none of others, and nothing altered", async () => {
    const key = readJson(join(anna.home, "endpoints/lab/key.json")).identity.record;
    await sealer.prepare(key);
    const witness = join(anna.cwd, "mallory");
    const now_ms = Date.now();
    const compose = (from: Identity): Uint8Array =>
      composeTasks(from, key, sealer, {
        nonce: Buffer.from(silent.random.bytes(16)).toString("hex"),
        group: crypto.randomUUID(),
        priority: 0,
        created_ms: now_ms,
        expires_ms: now_ms + 3_600_000,
        on_lost: "rerun",
        base: {},
        tasks: [{ argv: ["touch", witness] }],
      }).bytes;
    const bytes = compose(mallory);
    expect(await ask({ t: "submit", bytes: [bytes] })).toMatchObject({ t: "error" });
    // What Anna signed, sent by him.
    const hers = compose(openIdentity(readJson(join(anna.home, "identity.json"))));
    expect(await ask({ t: "submit", bytes: [hers] })).toMatchObject({ t: "error" });
    for (const where of [30, bytes.byteLength - 1]) {
      const altered = new Uint8Array(bytes);
      altered[where] = (altered[where] ?? 0) ^ 1;
      expect(await ask({ t: "submit", bytes: [altered] })).toMatchObject({ t: "error" });
    }
    expect(await ask({ t: "submit", bytes: [silent.random.bytes(300)] })).toMatchObject({ t: "error" });
    expect(await anna.must(["run", "-e", "lab", "--", "echo", "alive"])).toBe("alive");
    expect(existsSync(witness)).toBe(false);
  }, 20_000);

  test("shows him nobody's tasks, results or endpoints, and takes no results from him", async () => {
    const id = await anna.must(["submit", "-e", "lab", "--", "echo", "secret"]);
    await anna.gc(["wait", id]);
    expect(await ask({ t: "endpoints_ask" })).toMatchObject({ t: "endpoints", rows: [] });
    expect(await ask({ t: "list", limit: 100 })).toMatchObject({ t: "envelopes", rows: [] });
    expect(await ask({ t: "list", limit: 100, prefix: id.slice(0, 8) })).toMatchObject({ t: "envelopes", rows: [] });
    const from = heard.length;
    const watched = await ask({ t: "watch", watch: 1, envelopes: [id] });
    await ask({ t: "list", limit: 1 });
    expect(heard.slice(from).filter((m) => m.t === "news")).toEqual([]);
    expect(watched.t).toBeOneOf(["ok", "error"]);
    link.send([
      { t: "mail_ack", seqs: [1] },
      { t: "no_such_message", x: 1 },
    ] as unknown as Frameable[]);
    expect(await ask({ t: "deposit", bytes: [] })).toMatchObject({ t: "error" });
    expect((await anna.gc(["result", id])).stdout).toBe("secret\n");
  }, 20_000);
});

describe("another relay at the same address, with another key", () => {
  test("is not talked to: nothing is sent to it, and the task waits", async () => {
    const impostor = new Throwaway();
    try {
      // Ben must know where to send: the endpoint lets him in.
      await anna.must(["endpoint", "configure", "lab", "--yes", "--force", "--allow-user", ben_id]);
      await anna.must(["endpoint", "restart", "lab"]);
      const known = async () => (await ben.gc(["run", "-e", "lab", "--", "true"])).code === 0;
      await until(known, "the relay to know that he is let in");
      await anna.must(["relay", "down"]);
      await impostor.must(["relay", "up", "--listen", `127.0.0.1:${port}`, "--detach"]);
      const sent = await ben.gc(["submit", "-e", "lab", "--", "echo", "patient"], { env: { GC_RELAY_WAIT: "2" } });
      expect(sent.code).toBeOneOf([69, 75, 77]);
      expect(sent.stderr).toMatch(/certificate|key/);
      expect(sent.hung).toBe(false);
      const status = JSON.parse(await impostor.must(["relay", "status", "--json"]));
      expect(JSON.stringify(status)).not.toContain(ben_id);
      await impostor.must(["relay", "down"]);
      await anna.must(["relay", "up", "--detach"]);
      await ben.must(["submit", "--flush"]);
      expect((await ben.gc(["result", "--wait", "last"])).stdout).toBe("patient\n");
    } finally {
      await impostor.close();
    }
  }, 40_000);
});
