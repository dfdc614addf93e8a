/** Checks of the endpoints of this home folder: readable keys, a configuration that can be started. */
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { listOwnEndpoints, type OwnEndpointFolder } from "../../core/config/endpoint_folder.ts";
import type { Cli } from "../cli.ts";
import { type Check, failed } from "./check.ts";

/** One check for each endpoint. */
export function checkEndpoints(cli: Cli): Check[] {
  try {
    return listOwnEndpoints(cli.home, cli.host).map(checkEndpoint);
  } catch (error) {
    return [failed("endpoints", error)];
  }
}

function checkEndpoint({ name: endpoint, state, paths }: OwnEndpointFolder): Check {
  const name = `endpoint ${endpoint}`;
  if (state.state === "broken") {
    return { name, status: "fail", message: state.why, next: `gc endpoint configure ${endpoint} --force` };
  }
  try {
    loadEndpointConfig(paths.config);
  } catch (error) {
    return failed(name, error);
  }
  if (state.state === "stopped") return { name, status: "ok", message: "Configured, not running" };
  return { name, status: "ok", message: `Running on ${state.host} as process ${state.pid}` };
}
