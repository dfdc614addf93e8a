/** A home folder with a stub world behind its relay socket, and clients that connect to it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Home, openHome } from "../../core/config/home.ts";
import { loadIdentity } from "../../core/config/identity.ts";
import { rememberEndpoints } from "../../core/config/known.ts";
import { makePrivateDir } from "../../core/host/files.ts";
import type { Host } from "../../core/host/host.ts";
import { createOnce } from "../../core/host/private_file.ts";
import { type OpenClient, openClient } from "../../core/submit/open_client.ts";
import { StubWorld, testHost } from "./stub_world.ts";

export class TestHome {
  readonly root = mkdtempSync(join(tmpdir(), "gc-client-"));
  readonly host: Host = testHost({ GC_HOME: this.root });
  readonly home: Home = openHome(this.host.env);
  readonly world = new StubWorld();
  private readonly clients: OpenClient[] = [];

  /** Begins: the relay answers, and the endpoint is known by the name "lab" and, with keys, as "local". */
  async open(): Promise<this> {
    loadIdentity(this.home, this.host);
    rememberEndpoints(this.home, "local", [{ name: "lab", record: this.world.endpoint.record }]);
    await this.openWorld();
    return this;
  }

  openWorld(): Promise<void> {
    return this.world.open(this.home.socket("relay"));
  }

  /** Makes the stub endpoint the one that runs when none is named. */
  makeDefault(): void {
    const paths = this.home.endpoint("local");
    makePrivateDir(paths.dir);
    const owner = loadIdentity(this.home, this.host).record;
    createOnce(paths.key, JSON.stringify({ v: 1, identity: this.world.endpoint_file, owner }));
    createOnce(paths.config, "engine:\n  type: local\n");
  }

  client(): OpenClient {
    const open = openClient(this.home, this.host, undefined);
    this.clients.push(open);
    return open;
  }

  async close(): Promise<void> {
    for (const { client } of this.clients) client.close();
    await this.world.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Resolves once `condition` holds; it is looked at again and again. */
export async function until(condition: () => boolean, limit_ms = 5000): Promise<void> {
  const end = performance.now() + limit_ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not within ${limit_ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
