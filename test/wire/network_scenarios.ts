/** What links promise over TCP, TLS and proxies; run by `link_test.ts` and `compiled_test.ts`. */
import assert from "node:assert/strict";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { WebSocket as RawSocket } from "ws";
import { GcError } from "../../core/errors.ts";
import { linkPath } from "../../core/host/websocket.ts";
import { unprovedPerSourceMax } from "../../core/wire/door.ts";
import { type Acceptor, type Address, listen, openLink } from "../../core/wire/link.ts";
import { certificates } from "./certificates.ts";
import { failureOf, type Ground, type Scenario } from "./ground.ts";
import { echo, newIdentity, newUser, openRelay, quietHost, Witness } from "./parties.ts";

/** An echoing relay on a TCP port of loopback, with TLS. */
async function tlsRelay(ground: Ground, acceptor: Acceptor = openRelay()): Promise<{ port: number; seen: Witness }> {
  const seen = new Witness(echo);
  const where = { hostname: "127.0.0.1", port: 0, tls: { key: certificates.relay.key, cert: certificates.relay.cert } };
  const listening = await listen(where, acceptor, seen, ground.host);
  ground.later(() => listening.close());
  return { port: listening.port as number, seen };
}

/** A CONNECT proxy that leads every name to `port` of loopback, and remembers what it was asked. */
async function proxyTo(ground: Ground, port: number): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    open.add(client);
    client.on("error", () => client.destroy());
    client.once("data", (data) => {
      const head = data.toString();
      const basic = /^proxy-authorization: basic (\S+)/im.exec(head)?.[1] ?? "";
      asked.push(`${head.split("\r\n")[0]} ${Buffer.from(basic, "base64")}`);
      if (!asked.at(-1)?.endsWith("me:secret")) {
        client.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
        return;
      }
      const onward = connectTcp(port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        client.pipe(onward);
        onward.pipe(client);
      });
      open.add(onward);
      onward.on("error", () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  ground.later(() => {
    for (const socket of open) socket.destroy();
    proxy.close();
  });
  const address = proxy.address();
  assert.ok(address !== null && typeof address === "object");
  return { url: `127.0.0.1:${address.port}`, asked };
}

export const networkScenarios: readonly Scenario[] = [
  {
    name: "over TLS the pinned certificate and the relay's id are enough, whatever the address is called",
    async run(ground) {
      const relay = newIdentity("relay");
      const { port, seen } = await tlsRelay(ground, openRelay(relay));
      const mine = new Witness();
      for (const url of [`https://127.0.0.1:${port}`, `wss://localhost:${port}/`]) {
        const address: Address = { kind: "url", url, ca_pem: certificates.relay.cert, relay_id: relay.id };
        const link = await openLink(address, newUser(), mine, ground.host);
        assert.equal(link.peer.local, false);
        link.send([{ t: "x", bytes: [new Uint8Array(1_000_000)] }]);
      }
      await mine.until((w) => w.received.length === 2, "echoes");
      assert.equal(seen.ups[0]?.peer.local, false);
    },
  },
  {
    name: "another certificate than the pinned one is refused before anything is said",
    async run(ground) {
      const { port, seen } = await tlsRelay(ground);
      for (const ca_pem of [certificates.other.cert, undefined]) {
        const address = { kind: "url", url: `https://127.0.0.1:${port}`, ...(ca_pem && { ca_pem }) } as Address;
        const error = await failureOf(openLink(address, newUser(), new Witness(), ground.host));
        assert.deepEqual([error.kind, error.code], ["permission", "link.certificate"]);
      }
      assert.equal(seen.ups.length + seen.downs.length, 0);
    },
  },
  {
    name: "a relay with the right certificate and another key is refused, and both ids are named",
    async run(ground) {
      const [known, swapped] = [newIdentity("relay"), newIdentity("relay")];
      const { port } = await tlsRelay(ground, openRelay(swapped));
      const url = `https://127.0.0.1:${port}`;
      const address: Address = { kind: "url", url, ca_pem: certificates.relay.cert, relay_id: known.id };
      const error = await failureOf(openLink(address, newUser(), new Witness(), ground.host));
      assert.deepEqual([error.kind, error.code], ["permission", "relay.swapped"]);
      assert.ok(error.message.includes(known.id) && error.message.includes(swapped.id));
    },
  },
  {
    name: "TLS is 1.3 or nothing",
    async run(ground) {
      const { port } = await tlsRelay(ground);
      const speak = (version: "TLSv1.2" | "TLSv1.3"): Promise<string> =>
        new Promise((resolve) => {
          const options = {
            port,
            host: "127.0.0.1",
            minVersion: version,
            maxVersion: version,
            rejectUnauthorized: false,
          };
          const socket = connectTls(options, () => {
            resolve(socket.getProtocol() ?? "none");
            socket.destroy();
          });
          socket.on("error", () => resolve("refused"));
        });
      assert.equal(await speak("TLSv1.3"), "TLSv1.3");
      assert.equal(await speak("TLSv1.2"), "refused");
    },
  },
  {
    name: "nothing travels in the clear over a network, neither dialling nor listening",
    async run(ground) {
      const dialled = openLink({ kind: "url", url: "http://relay.example" }, newUser(), new Witness(), ground.host);
      assert.equal((await failureOf(dialled)).code, "link.insecure");
      const bad = openLink({ kind: "url", url: "relay.example:80" }, newUser(), new Witness(), ground.host);
      assert.equal((await failureOf(bad)).code, "link.bad_url");
      const everywhere = listen({ hostname: "0.0.0.0", port: 0 }, openRelay(), new Witness(), ground.host);
      assert.equal((await failureOf(everywhere)).code, "listen.insecure");
    },
  },
  {
    name: "HTTPS_PROXY is used with its name and password, NO_PROXY is heeded, and the pin holds through the proxy",
    async run(ground) {
      const relay = newIdentity("relay");
      const { port } = await tlsRelay(ground, openRelay(relay));
      const { url, asked } = await proxyTo(ground, port);
      const address = { kind: "url", url: "https://relay.test:8443", relay_id: relay.id } as const;
      const pinned: Address = { ...address, ca_pem: certificates.relay.cert };
      const behind = quietHost({ HTTPS_PROXY: `http://me:secret@${url}` });
      const mine = new Witness();
      const link = await openLink(pinned, newUser(), mine, behind);
      link.send([{ t: "x" }]);
      await mine.until((w) => w.received.length === 1, "the echo through the proxy");
      assert.deepEqual(asked, ["CONNECT relay.test:8443 HTTP/1.1 me:secret"]);

      const wrongPin: Address = { ...address, ca_pem: certificates.other.cert };
      assert.equal((await failureOf(openLink(wrongPin, newUser(), new Witness(), behind))).code, "link.certificate");

      const direct = quietHost({ HTTPS_PROXY: `http://me:secret@${url}`, NO_PROXY: ".test" });
      assert.equal((await failureOf(openLink(pinned, newUser(), new Witness(), direct))).code, "link.unreachable");
      assert.equal(asked.length, 2);
    },
  },
  {
    name: "a proxy that refuses, or is not there, is named in the error, without its password",
    async run(ground) {
      const { url } = await proxyTo(ground, 1);
      const pinned: Address = { kind: "url", url: "https://relay.test", ca_pem: certificates.relay.cert };
      const denied = quietHost({ HTTPS_PROXY: `http://me:wrong@${url}` });
      const error = await failureOf(openLink(pinned, newUser(), new Witness(), denied));
      assert.deepEqual([error.kind, error.code], ["permission", "link.proxy_denied"]);
      assert.ok(error.message.includes(url) && !error.message.includes("wrong"));
      const nobody = quietHost({ HTTPS_PROXY: "http://me:secret@127.0.0.1:1" });
      const gone = await failureOf(openLink(pinned, newUser(), new Witness(), nobody));
      assert.deepEqual([gone.kind, gone.code], ["unavailable", "link.unreachable"]);
      assert.ok(gone.message.includes("127.0.0.1:1") && !gone.message.includes("secret"));
    },
  },
  {
    name: "a flood of connections that prove nothing is turned away, and places come back",
    async run(ground) {
      const where = { hostname: "127.0.0.1", port: 0 };
      const seen = new Witness(echo);
      const listening = await listen(where, openRelay(), seen, ground.host);
      ground.later(() => listening.close());
      const url = `ws://127.0.0.1:${listening.port}/${linkPath}`;
      const mute: RawSocket[] = [];
      const knock = (): Promise<number> =>
        new Promise((resolve) => {
          const socket = new RawSocket(url);
          socket.on("open", () => {
            mute.push(socket);
            resolve(101);
          });
          socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
          socket.on("error", () => resolve(-1));
        });
      for (let at = 0; at < unprovedPerSourceMax; at++) assert.equal(await knock(), 101);
      assert.equal(await knock(), 503);
      const address: Address = { kind: "url", url: `http://127.0.0.1:${listening.port}` };
      const error = await failureOf(openLink(address, newUser(), new Witness(), ground.host));
      assert.deepEqual([error.kind, error.code, error.retry_after_ms], ["temporary", "link.busy", 1000]);
      for (const socket of mute) socket.terminate();
      await seen.until((w) => w.downs.length === unprovedPerSourceMax, "they are gone");
      const link = await openLink(address, newUser(), new Witness(), ground.host);
      assert.equal(link.peer.role, "relay");
    },
  },
  {
    name: "who fails to prove anything again and again has to wait",
    async run(ground) {
      const acceptor = openRelay(undefined, {
        admit() {
          throw new GcError("permission", "user.unknown", "Nobody knows you");
        },
      });
      const listening = await listen({ hostname: "127.0.0.1", port: 0 }, acceptor, new Witness(), ground.host);
      ground.later(() => listening.close());
      const address: Address = { kind: "url", url: `http://127.0.0.1:${listening.port}` };
      const codes: string[] = [];
      for (let at = 0; at < 6; at++) {
        codes.push((await failureOf(openLink(address, newUser(), new Witness(), ground.host))).code);
      }
      assert.equal(codes[0], "user.unknown");
      assert.equal(codes.at(-1), "link.busy");
    },
  },
];
