/** When an endpoint may ask for blocks: windows and pauses, each a cron expression with an end. */
import { spanPattern } from "./batch_engine.ts";
import type { Schema, Static } from "./static.ts";

const cron = { type: "string", minLength: 1, maxLength: 256 } as const;

export const spellSchema = {
  type: "object",
  description: "A time that comes again: `from` a cron expression, `for` a span of time or `until` another expression.",
  properties: {
    from: { ...cron, description: "When it begins: minute hour day-of-month month day-of-week." },
    for: { type: "string", pattern: spanPattern, description: "How long it lasts." },
    until: { ...cron, description: "When it ends: the first such time after it began." },
  },
  required: ["from"],
  additionalProperties: false,
} as const satisfies Schema;

export const scheduleSchema = {
  type: "object",
  description: "When blocks may be asked for. Default: always. Only for engines of blocks.",
  properties: {
    timezone: {
      type: "string",
      minLength: 1,
      maxLength: 64,
      description: "Time zone of the expressions. Default: that of the machine.",
    },
    windows: {
      type: "array",
      items: spellSchema,
      minItems: 1,
      maxItems: 100,
      description: "Blocks are asked for inside these only.",
    },
    pauses: {
      type: "array",
      items: spellSchema,
      minItems: 1,
      maxItems: 100,
      description: "No blocks are asked for inside these, such as times of maintenance.",
    },
    running_blocks: {
      enum: ["keep", "drain"],
      description:
        "What becomes of blocks that run when a window closes. keep (default): they go on to their end. drain: they " +
        "finish the tasks that they have and are given back.",
    },
  },
  required: [],
  additionalProperties: false,
  examples: [{ timezone: "America/Chicago", windows: [{ from: "0 18 * * mon-fri", for: "14h" }] }],
} as const satisfies Schema;

export type ScheduleFile = Static<typeof scheduleSchema>;

/** A time that comes again, with its end. */
export type Spell = { readonly from: string } & ({ readonly for_s: number } | { readonly until: string });

/** A checked schedule. */
export interface Schedule {
  readonly timezone: string;
  /** Empty: always, but for the pauses. */
  readonly windows: readonly Spell[];
  readonly pauses: readonly Spell[];
  readonly running_blocks: "keep" | "drain";
}
