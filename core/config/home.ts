/**
 * Where gc keeps everything: one visible folder, `$GC_HOME` or `~/.gc`, that can be moved in one go (ecosystem.md
 * §1.5).
 *
 *     identity.json  contexts.json  known.json      who I am; relays; endpoints I have seen
 *     outbox/  sent/                                submitted, not yet at a relay; ids I have got
 *     relay/                                        the relay of this machine
 *     endpoints/NAME/                               one endpoint
 *     run/*.sock                                    sockets of this machine
 *
 * Folders are made when something is first written to them, 0700; files are 0600.
 */
import { hash } from "node:crypto";
import { GcError } from "../errors.ts";
import { makePrivateDir } from "../host/files.ts";
import { join, resolve } from "../host/path.ts";
import { checkPrivateDir, userId } from "../host/private_file.ts";
import { checkName } from "./endpoint_name.ts";

/** Paths of the relay of this machine. */
export interface RelayPaths {
  readonly dir: string;
  readonly db: string;
  readonly config: string;
  readonly key: string;
  readonly cert: string;
  readonly cert_key: string;
  readonly lease: string;
  readonly log: string;
}

/** Paths of one endpoint. */
export interface EndpointPaths {
  readonly dir: string;
  readonly config: string;
  readonly key: string;
  readonly lease: string;
  /** Volatile facts of the running daemon: pid, socket. */
  readonly facts: string;
  readonly journal: string;
  readonly workers: string;
  readonly outputs: string;
  readonly log: string;
}

export interface Home {
  readonly root: string;
  readonly identity: string;
  readonly contexts: string;
  readonly known: string;
  readonly outbox: string;
  readonly sent: string;
  readonly relay: RelayPaths;
  readonly endpoints: string;
  /** The folder of the endpoint `name`; throws GcError `name.malformed` when that cannot be a name. */
  endpointDir(name: string): string;
  /** The files of the endpoint `name`; throws likewise. */
  endpoint(name: string): EndpointPaths;
  /** Path of the socket `name` on this machine, in a folder that is ours alone; the folder is made. */
  socket(name: string): string;
}

/** A socket's path must fit `sun_path` with its end mark: 108 bytes on Linux, 104 on macOS. */
const socketPathBytesMax = 100;

/**
 * The home folder that the environment names. It need not be there yet.
 * @throws GcError `home.*` when somebody else owns it or may write to it.
 */
export function openHome(env: { readonly [name: string]: string | undefined }): Home {
  const root = rootOf(env);
  checkPrivateDir(root);
  const relayDir = join(root, "relay");
  const endpoints = join(root, "endpoints");
  return {
    root,
    identity: join(root, "identity.json"),
    contexts: join(root, "contexts.json"),
    known: join(root, "known.json"),
    outbox: join(root, "outbox"),
    sent: join(root, "sent"),
    relay: {
      dir: relayDir,
      db: join(relayDir, "relay.db"),
      config: join(relayDir, "config.json"),
      key: join(relayDir, "key.json"),
      cert: join(relayDir, "cert.pem"),
      cert_key: join(relayDir, "cert.key"),
      lease: join(relayDir, "lease.json"),
      log: join(relayDir, "relay.log"),
    },
    endpoints,
    endpointDir: (name) => join(endpoints, checkName(name)),
    endpoint: (name) => endpointPaths(join(endpoints, checkName(name))),
    socket: (name) => socketPath(root, name),
  };
}

function rootOf(env: { readonly [name: string]: string | undefined }): string {
  if (env.GC_HOME) return resolve(() => process.cwd(), env.GC_HOME);
  if (env.HOME)
    return join(
      resolve(() => process.cwd(), env.HOME),
      ".gc",
    );
  throw new GcError("config", "home.unknown", "There is no place to keep files: neither GC_HOME nor HOME is set", {
    hint: "export GC_HOME=DIR",
  });
}

function endpointPaths(dir: string): EndpointPaths {
  return {
    dir,
    config: join(dir, "config.yaml"),
    key: join(dir, "key.json"),
    lease: join(dir, "lease.json"),
    facts: join(dir, "endpoint.json"),
    journal: join(dir, "journal"),
    workers: join(dir, "workers"),
    outputs: join(dir, "outputs"),
    log: join(dir, "endpoint.log"),
  };
}

/** In the home folder when the path is short enough, else in a folder under /tmp that is checked to be ours alone. */
function socketPath(root: string, name: string): string {
  const here = join(root, "run", `${name}.sock`);
  const fits = Buffer.byteLength(here) <= socketPathBytesMax;
  const dir = fits ? join(root, "run") : shortDir(root);
  makePrivateDir(dir);
  checkPrivateDir(dir, fits);
  return join(dir, `${name}.sock`);
}

function shortDir(root: string): string {
  return `/tmp/gc-${userId()}-${hash("sha256", root, "hex").slice(0, 8)}`;
}
