import { describe, expect, test } from "bun:test";
import { authBytes } from "../../core/access/challenge.ts";
import type { Identity } from "../../core/access/principal.ts";
import type { Submitted } from "../../core/schema/relay_message.ts";
import { Caller, type House, housesOfTests, invite, onTcp, somebody } from "./house.ts";
import { makeTasks } from "./town.ts";

const house = housesOfTests();

describe("HTTP", () => {
  const over = (h: House, path: string, init: RequestInit = {}) =>
    fetch(`https://127.0.0.1:${h.relay.port}${path}`, { ...init, tls: { rejectUnauthorized: false } });

  test("health, certificate and installation are for everybody, orders only for the Unix socket", async () => {
    const h = await house(onTcp);
    expect(await (await over(h, "/healthz")).json()).toMatchObject({ ok: true, id: h.relay.id, epoch: h.relay.epoch });
    expect(await (await over(h, "/cert.pem")).text()).toStartWith("-----BEGIN CERTIFICATE-----");
    const script = await (await over(h, "/install.sh")).text();
    expect(script).toStartWith("#!/bin/sh");
    expect(script).toContain(`base_url_default="https://127.0.0.1:${h.relay.port}/gc"`);
    for (const path of ["/admin/status", "/admin/stop", "/nowhere", "/gc/SHA256SUMS", "/v1/secret"]) {
      const method = path === "/admin/stop" ? "POST" : "GET";
      expect([path, (await over(h, path, { method })).status]).toEqual([path, path === "/v1/secret" ? 401 : 404]);
    }
    expect((await over(h, "/healthz", { method: "DELETE" })).status).toBe(405);
    const bad = await over(h, "/install.sh", { headers: { host: 'x";rm -rf /;"' } });
    expect(bad.status).toBe(400);
  });

  test("the API answers whoever proves an enrolled key, with what is theirs alone", async () => {
    const h = await house(onTcp);
    const [ada, bob] = [somebody("user"), somebody("user")];
    const user = await Caller.connect(h, ada, { address: await h.remote(), invite: await invite(h) });
    await Caller.connect(h, bob, { address: await h.remote(), invite: await invite(h) });
    const endpoint = await Caller.connect(h, somebody("endpoint"), { name: "polaris" });
    const task = await makeTasks(user, endpoint, { count: 4 });
    user.say({ t: "submit", bytes: [task.bytes] });
    await user.next<Submitted>("submitted");

    const login = async (who: Identity) => {
      const { nonce, id } = (await (await over(h, "/v1/challenge")).json()) as { nonce: string; id: string };
      const claim = { relay_id: id, nonce, role: "user", id: who.id, proto: 1 };
      const proof = Buffer.from(who.sign(authBytes(claim))).toString("base64url");
      const auth = { t: "auth", proto: 1, role: "user", id: who.id, record: who.record, proof, instance: "http" };
      const body = JSON.stringify({ ...auth, software: "test", nonce });
      const send = () => over(h, "/v1/session", { method: "POST", body });
      return { first: await send(), second: await send() };
    };
    const { first, second } = await login(ada);
    expect(first.status).toBe(200);
    expect(second.status).toBe(403);
    const { token } = (await first.json()) as { token: string };
    const ask = async (path: string, with_token = token) => {
      const response = await over(h, path, { headers: { authorization: `Bearer ${with_token}` } });
      return {
        status: response.status,
        body: (await response.json()) as never as { rows: { id: string; count: number }[] },
      };
    };
    expect((await ask("/v1/endpoints?prefix=pol")).body.rows).toHaveLength(1);
    expect((await ask("/v1/envelopes?unfinished=true")).body.rows).toMatchObject([{ id: task.header.id, count: 4 }]);
    expect((await ask(`/v1/envelopes/${task.header.id}`)).status).toBe(200);
    expect((await ask("/v1/envelopes/nonsense")).status).toBe(400);
    expect((await ask("/v1/envelopes", "wrong")).status).toBe(401);
    const stranger = await login(somebody("user"));
    expect(stranger.first.status).toBe(403);
    const { token: bobs } = (await (await login(bob)).first.json()) as { token: string };
    expect((await ask("/v1/envelopes", bobs)).body.rows).toEqual([]);
    expect((await ask(`/v1/envelopes/${task.header.id}`, bobs)).status).toBe(404);
    await h.admin("POST", "users/remove", { id: bob.id });
    expect((await ask("/v1/envelopes", bobs)).status).toBe(401);
  });
});
