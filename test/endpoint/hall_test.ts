/** Where workers are met: what must not happen when they go. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EndpointEvent } from "../../core/endpoint/decision.ts";
import { Hall, type HallSettings } from "../../core/endpoint/hall.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import { until } from "../e2e/until.ts";

const worker = "0d757e2c-e4b6-883c-b854-d8a17f7e649b";
const host = realHost(
  createLog(
    () => {},
    "error",
    () => 0,
  ),
);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "gc-hall-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A hall for workers of blocks; `blockDir` tells where the block of a worker is. */
function hall(blockDir: () => string | undefined, push: (event: EndpointEvent) => void): Hall {
  const batch = { blockDir } as unknown as NonNullable<HallSettings["batch"]>;
  const settings = { endpoint_id: "", boot: "", dir, socket: "", batch, worker: {} } as unknown as HallSettings;
  return new Hall(settings, host, push);
}

describe("Hall.examine()", () => {
  test("has nothing to look at when the block of the worker is over in the same turn", () => {
    const events: EndpointEvent[] = [];
    expect(() =>
      hall(
        () => undefined,
        (event) => events.push(event),
      ).examine(worker),
    ).not.toThrow();
    expect(events).toEqual([]);
  });

  test("stops looking when the block goes later, and buries a worker that left a note", async () => {
    const place = join(dir, "workers", worker);
    mkdirSync(place, { recursive: true });
    let block: string | undefined = dir;
    let looks = 0;
    const events: EndpointEvent[] = [];
    const looking = hall(
      () => {
        looks++;
        return block;
      },
      (event) => events.push(event),
    );
    looking.examine(worker);
    await until(() => looks > 3, "a second look");
    block = undefined;
    const before = looks;
    await until(() => looks > before, "the look that finds no block");
    block = dir;
    writeFileSync(join(place, "left"), "");
    looking.examine(worker);
    await until(() => events.length > 0, "its burial");
    expect(events).toMatchObject([{ t: "buried", worker }]);
    await looking.close();
  });
});
