import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { copyStore, restoreDatabase } from "../../core/relay/backup.ts";
import { startRelay } from "../../core/relay/server.ts";
import type { Envelopes, Mail, Submitted } from "../../core/schema/relay_message.ts";
import { Caller, housesOfTests, somebody } from "./house.ts";
import { give, makeTasks } from "./town.ts";

const house = housesOfTests();

describe("backup and restore", () => {
  test("a copy taken while it runs holds everything; what is restored has a new epoch and counts on", async () => {
    const h = await house();
    const ada = somebody("user");
    let user = await Caller.connect(h, ada);
    const endpoint = await Caller.connect(h, somebody("endpoint"));
    const small = await makeTasks(user, endpoint);
    const large = await makeTasks(user, endpoint, { argv: ["y".repeat(100_000)] });
    user.say({ t: "submit", bytes: [small.bytes, large.bytes] });
    await user.next<Submitted>("submitted");
    const file = join(h.home.root, "copy.gcb");
    // As `gc relay backup` does it: the relay lends the store, another connection copies.
    expect(await h.admin<object>("POST", "share", { shared: true })).toEqual({ shared: true });
    copyStore(h.home.relay, file);
    expect(await h.admin<object>("POST", "share", { shared: false })).toEqual({ shared: true });
    const after = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [after.bytes] });
    await user.next<Submitted>("submitted");
    user.say({ t: "list", limit: 10 });
    const before = (await user.next<Envelopes>("envelopes")).rows;

    const epoch = h.relay.epoch;
    await h.relay.stop();
    const former = restoreDatabase(h.home.relay, file, "epoch-2", Date.now());
    expect(former !== undefined && fs.existsSync(join(former, "relay.db"))).toBe(true);
    h.relay = await startRelay({ paths: h.home.relay, socket: h.home.socket("relay"), config: { v: 1 } }, h.host);
    expect(h.relay.epoch).toBe("epoch-2");
    expect(h.relay.epoch).not.toBe(epoch);
    user = await Caller.connect(h, ada);
    expect(user.link.epoch).toBe("epoch-2");
    user.say({ t: "list", limit: 10 });
    const rows = (await user.next<Envelopes>("envelopes")).rows;
    expect(rows.map((row) => row.id)).toEqual(before.slice(1).map((row) => row.id));
    user.say({ t: "submit", bytes: [after.bytes] });
    await user.next<Submitted>("submitted");
    user.say({ t: "list", limit: 1 });
    const [newest] = (await user.next<Envelopes>("envelopes")).rows;
    expect(newest?.seq).toBeGreaterThan(before[0]?.seq ?? 0);
    const back = await Caller.connect(h, endpoint.identity);
    give(back);
    const mails = [await back.next<Mail>("mail")];
    while (mails.flatMap((mail) => mail.bytes).length < 3) mails.push(await back.next<Mail>("mail"));
    const bytes = mails.flatMap((mail) => mail.bytes);
    expect(Buffer.compare(bytes[1] ?? Buffer.alloc(0), large.bytes)).toBe(0);
  });

  test("a backup replaces no file, and what is no backup is not restored", async () => {
    const h = await house();
    const file = join(h.home.root, "there");
    fs.writeFileSync(file, "precious");
    await expect(h.admin("POST", "backup", { file })).rejects.toThrow("replaces nothing");
    await h.relay.stop();
    const restore = (path: string) => () => restoreDatabase(h.home.relay, path, "e", 0);
    expect(restore(file)).toThrow("not a whole backup");
    expect(restore(join(h.home.root, "nowhere"))).toThrow("There is no backup");
    expect(fs.existsSync(h.home.relay.db)).toBe(true);
    await h.again();
  });
});
