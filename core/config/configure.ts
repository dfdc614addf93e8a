/**
 * Makes an endpoint: a folder with its keys and a configuration that explains itself. Doing it again after an
 * interruption finishes the work; an endpoint that is there is only rewritten on demand, and keeps its id even then.
 */
import { GcError } from "../errors.ts";
import { makePrivateDir, readIfThere, writeDurable } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { createOnce } from "../host/private_file.ts";
import { type EndpointConfigFile, endpointConfigSchema } from "../schema/config.ts";
import { commentedYaml } from "./commented_yaml.ts";
import { parseEndpointConfig } from "./endpoint_config.ts";
import type { EndpointPaths, Home } from "./home.ts";
import { createEndpointKey, loadEndpointKey, loadIdentity } from "./identity.ts";

/** An endpoint that was configured. */
export interface ConfiguredEndpoint {
  readonly name: string;
  readonly id: string;
  readonly paths: EndpointPaths;
  /** There was a configuration, and it was replaced. */
  readonly replaced: boolean;
}

/**
 * Writes keys and configuration of the endpoint `name`.
 * @throws GcError cannot_create `endpoint.exists` when there is a configuration already, unless `force`.
 */
export function configureEndpoint(
  home: Home,
  host: Pick<Host, "random">,
  wish: { name: string; force: boolean } & ({ config: EndpointConfigFile } | { text: string; from: string }),
): ConfiguredEndpoint {
  const { name, force } = wish;
  const paths = home.endpoint(name);
  const was = readIfThere(paths.config);
  if (was !== undefined && !force) throw exists(name, paths);
  const heading = `Configuration of the endpoint "${name}". After a change: gc endpoint restart ${name}`;
  const text = "text" in wish ? wish.text : commentedYaml(endpointConfigSchema, wish.config, heading);
  parseEndpointConfig(Buffer.from(text), "text" in wish ? wish.from : paths.config);
  const owner = loadIdentity(home, host).record;
  makePrivateDir(paths.dir);
  const own =
    readIfThere(paths.key) === undefined ? createEndpointKey(paths.key, owner, host) : loadEndpointKey(paths.key);
  if (force) writeDurable(paths.config, text);
  else if (!createOnce(paths.config, text)) throw exists(name, paths);
  return { name, id: own.identity.id, paths, replaced: was !== undefined };
}

function exists(name: string, paths: EndpointPaths): GcError {
  return new GcError(
    "cannot_create",
    "endpoint.exists",
    `The endpoint "${name}" is configured already (${paths.config})`,
    {
      hint: `gc endpoint start ${name}, or gc endpoint configure ${name} --force`,
    },
  );
}
