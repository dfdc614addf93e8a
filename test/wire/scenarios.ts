/** All promises of the wire, in the order in which they are shown. */
import type { Scenario } from "./ground.ts";
import { hostileScenarios } from "./hostile_scenarios.ts";
import { lastingScenarios } from "./lasting_scenarios.ts";
import { networkScenarios } from "./network_scenarios.ts";
import { talkingScenarios } from "./talking_scenarios.ts";

export const scenarios: readonly Scenario[] = [
  ...talkingScenarios,
  ...hostileScenarios,
  ...lastingScenarios,
  ...networkScenarios,
];
