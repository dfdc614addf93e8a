/** Which way a worker takes to its endpoint. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJson } from "../../core/host/files.ts";
import type { ReachWay } from "../../core/schema/batch_engine.ts";
import { EndpointAddress } from "../../core/worker/endpoint_address.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "gc-address-"));
  const door = { v: 1, endpoint_id: "e", port: 7, addresses: ["10.0.0.1", "10.0.0.2"], ca_pem: "pem" };
  writeJson(join(dir, "door.json"), door);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (reach: ReachWay[]) =>
  new EndpointAddress({ kind: "door", path: join(dir, "door.json"), reach, mailbox: join(dir, "mail") });
/** The next ways in words. */
function next(address: EndpointAddress, count: number, now_ms = 0): string[] {
  return Array.from({ length: count }, () => {
    const way = address.next(now_ms);
    return way.kind === "url" ? new URL(way.url).hostname : way.kind;
  });
}

describe("EndpointAddress", () => {
  test("tries every address, then the folder, and begins again", () => {
    expect(next(open(["direct", "shared"]), 4)).toEqual(["10.0.0.1", "10.0.0.2", "mailbox", "10.0.0.1"]);
    expect(next(open(["shared", "direct"]), 3)).toEqual(["mailbox", "10.0.0.1", "10.0.0.2"]);
  });

  test("keeps to the one way that it was told", () => {
    expect(next(open(["shared"]), 2)).toEqual(["mailbox", "mailbox"]);
    expect(next(open(["direct"]), 3)).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
  });

  test("comes back the way that led there last, and only then tries the others", () => {
    const address = open(["direct", "shared"]);
    next(address, 2);
    address.arrived();
    expect(next(address, 3, 200_000)).toEqual(["10.0.0.2", "10.0.0.1", "10.0.0.2"]);
    const inFolder = open(["direct", "shared"]);
    next(inFolder, 3);
    inFolder.arrived();
    expect(inFolder.isDetour).toBe(false);
    expect(next(inFolder, 2)).toEqual(["mailbox", "10.0.0.1"]);
  });

  test("waits two minutes for a network that was there before it takes the folder, and then calls it a detour", () => {
    const address = open(["direct", "shared"]);
    next(address, 1);
    address.arrived();
    expect(next(address, 4, 1000)).not.toContain("mailbox");
    expect(next(address, 3, 122_000)).toContain("mailbox");
    while (address.next(123_000).kind !== "mailbox") {}
    address.arrived();
    expect(address.isDetour).toBe(true);
    expect(next(address, 2, 500_000)).toEqual(["10.0.0.1", "10.0.0.2"]);
  });

  test("without a door.json and without a folder says what is missing", () => {
    rmSync(join(dir, "door.json"));
    expect(() => open(["direct"]).next(0)).toThrow("does not say where it is");
    expect(next(open(["direct", "shared"]), 2)).toEqual(["mailbox", "mailbox"]);
  });
});
