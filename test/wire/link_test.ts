/** What links promise over real sockets, run from sources. */
import { describe, test } from "bun:test";
import { Ground } from "./ground.ts";
import { scenarios } from "./scenarios.ts";

describe("links", () => {
  for (const { name, run } of scenarios) {
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
