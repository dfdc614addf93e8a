/** What links promise over TCP, TLS and proxies. */
import type { Scenario } from "./scenarios.ts";

export const networkScenarios: readonly Scenario[] = [];
