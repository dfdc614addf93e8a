/** What links promise over real sockets, run from sources. */
import { describe, test } from "bun:test";
import { networkScenarios } from "./network_scenarios.ts";
import { Ground, scenarios } from "./scenarios.ts";

describe("links", () => {
  for (const { name, run } of [...scenarios, ...networkScenarios]) {
    test(name, async () => {
      const ground = new Ground();
      try {
        await run(ground);
      } finally {
        await ground.end();
      }
    }, 20_000);
  }
});
