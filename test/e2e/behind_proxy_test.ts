/**
 * A relay behind something that speaks TLS for it, as nginx or a load balancer does: the certificate is the proxy's,
 * known to clients by an authority that they trust (here: one that the test puts into their environment).
 */
import "reflect-metadata";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import * as x509 from "@peculiar/x509";
import { freePort } from "../../core/host/free_port.ts";
import { Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

let relay: Throwaway;
let user: Throwaway;
let proxy: Server;
let trusted: { NODE_EXTRA_CA_CERTS: string };
/** Connections that came through the proxy, ever and now. */
let came: number;
let open: Set<Socket>;

beforeEach(async () => {
  relay = new Throwaway();
  user = new Throwaway();
  came = 0;
  open = new Set();
  const behind = await freePort("127.0.0.1");
  const { cert, key } = await certificateOf("localhost");
  const authority = join(user.dir, "authority.pem");
  writeFileSync(authority, cert);
  trusted = { NODE_EXTRA_CA_CERTS: authority };
  proxy = createServer({ cert, key }, (client) => {
    came++;
    const server = connect(behind, "127.0.0.1");
    open.add(client);
    client.on("close", () => open.delete(client));
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
    client.pipe(server).pipe(client);
  });
  proxy.on("tlsClientError", () => {});
  const url = `https://localhost:${await portOf(proxy)}`;
  const where = ["--listen", `127.0.0.1:${behind}`, "--behind-proxy", "--public-url", url];
  await relay.must(["relay", "up", "--detach", ...where]);
}, 30_000);

afterEach(async () => {
  for (const socket of open) socket.destroy();
  proxy.close();
  await user.close();
  await relay.close();
}, 20_000);

test("people and endpoints reach it by its public address; a cut in the middle loses nothing", async () => {
  const env = trusted;
  await user.must(["login", "-"], { stdin: await relay.must(["relay", "invite"]), env });
  const joining = ["endpoint", "join", "-", "--yes", "--name", "far"];
  await user.must(joining, { stdin: await relay.must(["relay", "invite", "--role", "endpoint"]), env });
  await user.must(["endpoint", "start", "--detach", "far"], { env });
  expect(await user.must(["run", "-e", "far", "--", "hostname"], { env })).toBe(hostname());
  expect(came).toBeGreaterThanOrEqual(4);

  const go = join(user.dir, "go");
  const running = user.start(
    ["run", "-e", "far", "--shell", `while ! test -e '${go}'; do sleep 0.1; done; echo late`],
    {
      env,
    },
  );
  const runs = async (): Promise<boolean> => {
    const { stdout } = await user.gc(["why", "--json", "last"], { env });
    return stdout !== "" && JSON.parse(stdout).state === "running";
  };
  await until(runs, "the task to run", 20_000);
  const before = came;
  for (const socket of open) socket.destroy();
  await until(() => came >= before + 2, "endpoint and client to come back", 20_000);
  writeFileSync(go, "");
  expect(await running.end(30_000)).toMatchObject({ code: 0, stdout: "late\n" });
}, 90_000);

test("a certificate that nobody vouches for is refused", async () => {
  const env = { GC_RELAY_WAIT: "2" };
  const { code, stderr } = await user.gc(["login", "-"], { stdin: await relay.must(["relay", "invite"]), env });
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/certificate/i);
}, 30_000);

/** A certificate for this name that is its own authority. */
async function certificateOf(name: string): Promise<{ cert: string; key: string }> {
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 3600_000),
    notAfter: new Date(Date.now() + 3600_000),
    signingAlgorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { cert: cert.toString("pem"), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
}

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return (server.address() as { port: number }).port;
}
