/**
 * The door for configuration files, apart from `validate.ts` because of the size of what stands behind it: only who
 * reads such a file loads it.
 */
import type { EndpointConfigFile } from "./config.ts";
import * as validators from "./settings_validators.js";
import { type Problem, problemsBy, type Validator } from "./validate.ts";

/** The configuration of an endpoint as it was written, or the first thing that is wrong with it. */
export function checkEndpointConfig(value: unknown): { right: EndpointConfigFile } | { wrong: Problem } {
  const { endpoint_config } = validators as unknown as { endpoint_config: Validator };
  const [wrong] = problemsBy(endpoint_config, value);
  return wrong === undefined ? { right: value as EndpointConfigFile } : { wrong };
}
