/** How a relay is run: `relay/config.json`, written by `gc relay up` from its options and kept for the next start. */
import type { Schema, Static } from "./static.ts";

export const relayConfigSchema = {
  $id: "relay_config",
  type: "object",
  properties: {
    v: { const: 1 },
    listen: {
      type: "string",
      pattern: "^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
      description: "HOST:PORT to listen on, besides the Unix socket. Absent: nothing but the Unix socket.",
    },
    behind_proxy: { type: "boolean", description: "Something in front of it speaks TLS; the relay itself does not." },
    public_url: {
      type: "string",
      pattern: "^https?://[^\\s\"'$`\\\\]+$",
      maxLength: 1024,
      description: "Where people reach it; what invites and install.sh say.",
    },
    log_level: { enum: ["debug", "info", "warn", "error"] },
    limits: {
      type: "object",
      properties: {
        requests_per_10_s: { type: "number", minimum: 1, description: "Requests of one person over TCP, sustained." },
        request_burst: { type: "integer", minimum: 1, description: "Requests of one person that may come at once." },
        time_to_live_s: { type: "integer", minimum: 60, description: "How long tasks and results wait, at most." },
        free_mib_min: {
          type: "integer",
          minimum: 0,
          description: "Less free space than this: no new tasks. Default: 128, or 1024 with listen.",
        },
        ballast_mib: { type: "integer", minimum: 0, description: "Space kept back for the day the disk is full." },
      },
      required: [],
      additionalProperties: false,
    },
  },
  required: ["v"],
  additionalProperties: false,
} as const satisfies Schema;

export type RelayConfig = Static<typeof relayConfigSchema>;
