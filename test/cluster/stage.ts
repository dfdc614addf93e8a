/**
 * Where stories are told. Only one cluster can run on a machine, so all that needs it is told in one file of tests;
 * what takes time happens side by side.
 */
import { beforeAll, test } from "bun:test";
import type { Alice } from "./alice.ts";

/** Long enough for what waits for Slurm's own times, on a slow machine. */
const limit_ms = 270_000;

type Tell = (alice: Alice) => Promise<void>;

export interface Stage {
  /** Begins at once with the others; its test waits for it. */
  readonly story: (name: string, tell: Tell) => void;
  /** Begins when all stories are over. */
  readonly last: (name: string, tell: Tell) => void;
}

/** A stage on which nobody has told anything yet. Only inside `describe`, after `arrive` was given to `beforeAll`. */
export function stage(alice: () => Alice): Stage {
  const stories = new Map<string, Promise<void>>();
  return {
    story(name, tell) {
      beforeAll(() => {
        const told = tell(alice());
        told.catch(() => {});
        stories.set(name, told);
      });
      test(name, () => stories.get(name), limit_ms);
    },
    last(name, tell) {
      test(
        name,
        async () => {
          await Promise.allSettled(stories.values());
          await tell(alice());
        },
        limit_ms,
      );
    },
  };
}
