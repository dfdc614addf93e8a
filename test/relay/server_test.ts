import type { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../core/access/principal.ts";
import type { PrincipalShown, RelayStatus } from "../../core/relay/admin.ts";
import { startRelay } from "../../core/relay/server.ts";
import type { Mail, News, Stored, Submitted } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { Caller, type House, housesOfTests, invite, onTcp, refusal, somebody } from "./house.ts";
import { ack, give, makeTasks, receiptOf, resultOf } from "./town.ts";

const house = housesOfTests();

describe("who may connect", () => {
  test("over the Unix socket everybody is enrolled without a question", async () => {
    const h = await house();
    const user = await Caller.connect(h, somebody("user"));
    await Caller.connect(h, somebody("endpoint"), { name: "polaris" });
    user.say({ t: "endpoints_ask" });
    const { users } = await h.admin<{ users: PrincipalShown[] }>("GET", "users");
    expect(users.map((one) => [one.role, one.name, one.connected])).toEqual([
      ["user", "", true],
      ["endpoint", "polaris", true],
    ]);
  });

  test("over TCP a stranger needs an invite, which is good for one use, its role and its time", async () => {
    const h = await house(onTcp);
    const address = await h.remote();
    const connect = (who: Identity, token?: string) =>
      Caller.connect(h, who, { address, ...(token === undefined ? {} : { invite: token }) });
    expect((await refusal(connect(somebody("user")))).code).toBe("relay.not_enrolled");
    const token = await invite(h, { role: "user", name: "ada" });
    expect((await refusal(connect(somebody("endpoint"), token))).code).toBe("invite.wrong_role");
    const ada = somebody("user");
    const first = await connect(ada, token);
    expect((await refusal(connect(somebody("user"), token))).code).toBe("invite.used");
    first.link.close();
    expect(await first.end()).toBeDefined();
    await connect(ada);
    await connect(ada, token);
    const { users } = await h.admin<{ users: PrincipalShown[] }>("GET", "users");
    expect(users.map((one) => [one.id, one.name])).toEqual([[ada.id, "ada"]]);
  });

  test("an invite that nobody made is refused", async () => {
    const h = await house(onTcp);
    const token = await invite(h);
    const invented = `${token.slice(0, -3)}AAA`;
    const guess = Caller.connect(h, somebody("user"), { address: await h.remote(), invite: invented });
    expect((await refusal(guess)).code).toBe("invite.unknown");
  });

  test("an invite is worth nothing after its time", async () => {
    const h = await house(onTcp);
    const short = await invite(h, { role: "user", ttl_ms: 1 });
    await Bun.sleep(5);
    const late = Caller.connect(h, somebody("user"), { address: await h.remote(), invite: short });
    expect((await refusal(late)).code).toBe("invite.expired");
  });

  test("an invite and those enrolled outlive a restart", async () => {
    const h = await house(onTcp);
    const token = await invite(h, { role: "user", uses: 2 });
    const ada = somebody("user");
    await Caller.connect(h, ada, { address: await h.remote(), invite: token });
    await h.again();
    await Caller.connect(h, ada, { address: await h.remote() });
    await Caller.connect(h, somebody("user"), { address: await h.remote(), invite: token });
    const last = Caller.connect(h, somebody("user"), { address: await h.remote(), invite: token });
    expect((await refusal(last)).code).toBe("invite.used");
  });

  test("whoever is removed loses the connection and stays out, with a new invite or by the Unix socket", async () => {
    const h = await house(onTcp);
    const ada = somebody("user");
    const caller = await Caller.connect(h, ada, { address: await h.remote(), invite: await invite(h) });
    await h.admin("POST", "users/remove", { id: ada.id.slice(0, 13) });
    expect(await caller.end()).toContain("ended the connection");
    const back = Caller.connect(h, ada, { address: await h.remote(), invite: await invite(h) });
    expect((await refusal(back)).code).toBe("relay.removed");
    expect((await refusal(Caller.connect(h, ada))).code).toBe("relay.removed");
    await expect(h.admin("POST", "users/remove", { id: "00000000" })).rejects.toThrow("Nobody with the id");
  });

  test("without TCP there is nothing to invite to", async () => {
    const h = await house();
    await expect(h.admin("POST", "invite", { role: "user" })).rejects.toThrow("Unix socket only");
  });

  test("an endpoint cannot call itself a user with its own key", async () => {
    const h = await house();
    const endpoint = somebody("endpoint");
    const record = { ...endpoint.record, kind: "user" as const };
    const error = await refusal(Caller.connect(h, { ...endpoint, record }));
    expect(error.kind).toBe("permission");
  });
});

describe("over real sockets", () => {
  test("a task goes to its endpoint and back, over TLS, and a restart in the middle loses nothing", async () => {
    const h = await house(onTcp);
    const [ada, polaris] = [somebody("user"), somebody("endpoint")];
    const address = await h.remote();
    let user = await Caller.connect(h, ada, { address, invite: await invite(h) });
    const asEndpoint = await invite(h, { role: "endpoint" });
    let endpoint = await Caller.connect(h, polaris, { address, invite: asEndpoint });
    const task = await makeTasks(user, endpoint, { count: 2 });
    user.say({ t: "submit", bytes: [task.bytes] });
    await user.next<Submitted>("submitted");

    await h.again();
    const moved = await h.remote();
    endpoint = await Caller.connect(h, polaris, { address: moved });
    give(endpoint);
    ack(endpoint, await endpoint.next<Mail>("mail"));
    const result = await resultOf(endpoint, user, task, [0, 1]);
    endpoint.say({ t: "deposit", bytes: [result.bytes] });
    await endpoint.next<Stored>("stored");

    await h.again();
    user = await Caller.connect(h, ada, { address: await h.remote() });
    user.say({ t: "watch", watch: 1, group: task.header.group });
    const news = await user.next<News>("news");
    expect(news.bytes?.[1]).toEqual(result.bytes);
    user.say({ t: "post", bytes: [receiptOf(user, task, [0, 1])] });
    const status = await h.admin<RelayStatus>("GET", "status");
    expect(status).toMatchObject({ data_dir: h.home.relay.dir, envelopes: 1, queued: 0, storage_full: false });
  });

  test("a body of 10 MiB gets through both ways", async () => {
    const h = await house();
    const [user, endpoint] = [await Caller.connect(h, somebody("user")), await Caller.connect(h, somebody("endpoint"))];
    give(endpoint);
    const task = await makeTasks(user, endpoint, { argv: ["echo", "x".repeat(10 * 1024 * 1024 - 2000)] });
    user.say({ t: "submit", bytes: [task.bytes] });
    await user.next<Submitted>("submitted");
    const mail = await endpoint.next<Mail>("mail");
    expect(Buffer.compare(mail.bytes[0] ?? Buffer.alloc(0), task.bytes)).toBe(0);
    const bodies = join(h.home.relay.dir, "bodies");
    expect(fs.readdirSync(bodies)).toHaveLength(1);
    ack(endpoint, mail);
    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    await user.next<News>("news");
    expect(fs.readdirSync(bodies).filter((name) => fs.statSync(join(bodies, name)).size > 0)).toEqual([]);
  });

  test("no word of a task or a result is in any file that the relay keeps, or in its log", async () => {
    const h = await house();
    const canaries = ["canary-in-argv", "canary-in-output"];
    const [user, endpoint] = [await Caller.connect(h, somebody("user")), await Caller.connect(h, somebody("endpoint"))];
    give(endpoint);
    const bulk = "canary-in-argv ".repeat(8000);
    const tasks = [
      await makeTasks(user, endpoint, { argv: ["canary-in-argv"] }),
      await makeTasks(user, endpoint, { argv: [bulk] }),
    ];
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    await user.next<Submitted>("submitted");
    ack(endpoint, await endpoint.next<Mail>("mail"));
    ack(endpoint, await endpoint.next<Mail>("mail"));
    for (const task of tasks) {
      const text = "canary-in-output ".repeat(task === tasks[0] ? 1 : 8000);
      endpoint.say({ t: "deposit", bytes: [(await resultOf(endpoint, user, task, [0], text)).bytes] });
      await endpoint.next<Stored>("stored");
    }
    const kept = filesUnder(h.home.root);
    expect(kept.length).toBeGreaterThan(5);
    for (const path of kept) {
      const bytes = fs.readFileSync(path);
      for (const canary of canaries) expect([path, bytes.includes(canary)]).toEqual([path, false]);
    }
    for (const canary of canaries) expect(h.logged.join("\n")).not.toContain(canary);
  });

  test("a full disk refuses what is new, lets the rest through after a reconnection, and heals by itself", async () => {
    const h = await house();
    const [ada, polaris] = [somebody("user"), somebody("endpoint")];
    let user = await Caller.connect(h, ada);
    let endpoint = await Caller.connect(h, polaris);
    const task = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes] });
    await user.next<Submitted>("submitted");
    const mailbox = mailboxOf(h);
    const { page_count } = mailbox.query<{ page_count: number }, []>("PRAGMA page_count").get() ?? { page_count: 0 };
    mailbox.run(`PRAGMA max_page_count = ${page_count}`);
    const large = await makeTasks(user, endpoint, { argv: ["x".repeat(50_000)] });
    user.say({ t: "submit", bytes: [large.bytes] });
    expect(await user.end()).toContain("ended the connection");
    expect(h.logged.join("\n")).toContain('"full":true');
    mailbox.run(`PRAGMA max_page_count = ${page_count + 1000}`);
    // Whatever the file system says now: for a minute nothing new is taken.
    user = await Caller.connect(h, ada);
    user.say({ t: "submit", bytes: [large.bytes] });
    expect(await user.next<WireError>("error")).toMatchObject({ code: "storage_full", kind: "temporary" });
    endpoint = await Caller.connect(h, polaris);
    give(endpoint);
    ack(endpoint, await endpoint.next<Mail>("mail"));
    endpoint.say({ t: "deposit", bytes: [(await resultOf(endpoint, user, task, [0])).bytes] });
    await endpoint.next<Stored>("stored");
    expect(fs.existsSync(join(h.home.relay.dir, "ballast"))).toBe(false);
    await h.again();
    user = await Caller.connect(h, ada);
    user.say({ t: "submit", bytes: [large.bytes] });
    expect(await user.next<Submitted>("submitted")).toMatchObject({ known: 0 });
  });
});

describe("one relay for one folder", () => {
  test("a second one is refused by name of host and process", async () => {
    const h = await house();
    const second = startRelay({ paths: h.home.relay, socket: h.home.socket("other"), config: { v: 1 } }, h.host);
    const error = await refusal(second);
    expect(error).toMatchObject({ code: "relay.already_running" });
    expect(error.message).toContain(`process ${process.pid}`);
  });

  test("a start that fails leaves no lease behind", async () => {
    const h = await house(onTcp);
    const port = h.relay.port;
    const busy = { v: 1, listen: `127.0.0.1:${port}` } as const;
    const other = await house();
    await other.relay.stop();
    const start = (config: object) =>
      startRelay(
        { paths: other.home.relay, socket: other.home.socket("relay"), config: { v: 1, ...config } },
        other.host,
      );
    expect((await refusal(start(busy))).code).toBe("listen.in_use");
    other.relay = await start({});
  });
});

function filesUnder(dir: string): string[] {
  return fs.readdirSync(dir, { withFileTypes: true, recursive: true }).flatMap((entry) => {
    return entry.isFile() ? [join(entry.parentPath, entry.name)] : [];
  });
}

/** The relay's own connection, to make its disk full. */
function mailboxOf(h: House): Database {
  return (h.relay as unknown as { mailbox: { db: Database } }).mailbox.db;
}
