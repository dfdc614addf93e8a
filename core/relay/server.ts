/**
 * A relay as it runs: one process per folder (a lease says so), the mailbox on local disk, links over the Unix socket
 * and, when asked, over TCP with TLS. Decides nothing; `service.ts` and below do.
 */
import type { Identity } from "../access/principal.ts";
import type { RelayPaths } from "../config/home.ts";
import { GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { takeLease } from "../host/lease.ts";
import { bodyBytesMax, frameBytesMax, tasksPerEnvelopeMax } from "../limits.ts";
import type { RelayConfig } from "../schema/relay_config.ts";
import { type Acceptor, type Listening, listen, type Where } from "../wire/link.ts";
import { Access } from "./access.ts";
import { Admin, type RelayStatus } from "./admin.ts";
import { bodiesDir } from "./backup.ts";
import { Challenges } from "./challenges.ts";
import { Ballast, freeBytes, isNetworkDisk } from "./disk.ts";
import { Http } from "./http.ts";
import { ownProgram } from "./program.ts";
import {
  ballastBytes,
  type Certificate,
  limitsOf,
  loadCertificate,
  loadRelayIdentity,
  parseListen,
} from "./relay_files.ts";
import { Service } from "./service.ts";
import { SqliteMailbox } from "./sqlite_mailbox.ts";

export interface RelayOptions {
  readonly paths: RelayPaths;
  /** Path of the Unix socket. */
  readonly socket: string;
  readonly config: RelayConfig;
  /** Test of the tests: see `OpenOptions`. */
  readonly synchronous?: "FULL" | "OFF";
}

/** A relay that runs. */
export interface Relay {
  readonly id: string;
  readonly epoch: string;
  /** Of the TCP listener. */
  readonly port: number | undefined;
  /** Where others reach it. */
  readonly url: string | undefined;
  /** Resolves once it has ended: undefined when it was stopped, else why it could not go on. */
  readonly done: Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts a relay. Resolves when it accepts connections.
 * @throws GcError `relay.already_running`, `relay.damaged`, `listen.*`, and `config` kinds for a bad configuration.
 */
export async function startRelay(options: RelayOptions, host: Host): Promise<Relay> {
  const identity = loadRelayIdentity(options.paths, host);
  let lost = (): void => {};
  const lease = takeLease(options.paths.lease, "relay", host, () => lost());
  let running: RunningRelay | undefined;
  try {
    running = new RunningRelay(options, identity, host, () => lease.release());
    lost = () => running?.giveUp(new GcError("unavailable", "relay.lease_lost", "Another relay took over this folder"));
    await running.listen();
    return running;
  } catch (error) {
    if (running === undefined) lease.release();
    else await running.stop();
    throw error;
  }
}

type TcpWhere = Extract<Where, { hostname: string }>;

class RunningRelay implements Relay {
  readonly id: string;
  readonly epoch: string;
  readonly done: Promise<unknown>;
  port: number | undefined;
  url: string | undefined;
  private readonly options: RelayOptions;
  private readonly identity: Identity;
  private readonly host: Host;
  private readonly release: () => void;
  private readonly mailbox: SqliteMailbox;
  private readonly service: Service;
  private readonly access: Access;
  private readonly since_ms: number;
  private readonly listeners: Listening[] = [];
  private readonly ended = Promise.withResolvers<unknown>();
  private stopping: Promise<void> | undefined;

  constructor(options: RelayOptions, identity: Identity, host: Host, release: () => void) {
    const { paths, config, synchronous } = options;
    this.options = options;
    this.identity = identity;
    this.host = host;
    this.release = release;
    this.done = this.ended.promise;
    this.since_ms = host.clock.now();
    const alone = isNetworkDisk(paths.dir);
    if (alone) host.log.warn("relay.network_disk", { dir: paths.dir, advice: "a local disk is faster and safer" });
    this.mailbox = new SqliteMailbox({
      path: paths.db,
      bodies: bodiesDir(paths),
      new_epoch: Buffer.from(host.random.bytes(8)).toString("hex"),
      alone,
      ...(synchronous === undefined ? {} : { synchronous }),
    });
    this.id = identity.id;
    this.epoch = this.mailbox.epoch;
    this.url = config.public_url;
    this.access = new Access(this.mailbox, host.clock);
    this.service = new Service({
      mailbox: this.mailbox,
      limits: limitsOf(config),
      ballast: new Ballast(paths.dir, ballastBytes(config)),
      dir: paths.dir,
      host,
      gaveUp: (error) => this.giveUp(error),
    });
  }

  /** Opens the doors. */
  async listen(): Promise<void> {
    const { config, socket, paths } = this.options;
    const { host, service } = this;
    const own = config.listen !== undefined && config.behind_proxy !== true;
    const certificate = own ? await loadCertificate(paths, host) : undefined;
    const acceptor = this.acceptor();
    let pages: Http | undefined;
    const answer: Http["answer"] = (request, from) => {
      pages ??= this.http(certificate);
      return pages.answer(request, from);
    };
    const where = whereToListen(config, certificate);
    if (where !== undefined) {
      const listening = await listen(where, acceptor, service, host, answer);
      this.listeners.push(listening);
      this.port = listening.port ?? where.port;
      const scheme = certificate === undefined ? "http" : "https";
      this.url ??= `${scheme}://${reachableHost(where.hostname, host.hostname)}:${this.port}`;
    }
    // Last, because whoever waits for the relay looks for this socket.
    this.listeners.push(await listen({ unix: socket }, acceptor, service, host, answer));
    host.log.info("relay.started", { id: this.id, epoch: this.epoch, socket, url: this.url });
  }

  stop(reason?: unknown): Promise<void> {
    this.stopping ??= this.end(reason);
    return this.stopping;
  }

  giveUp(error: unknown): void {
    void this.stop(error);
  }

  private async end(reason: unknown): Promise<void> {
    try {
      this.service.stop();
      await Promise.all(this.listeners.map((listening) => listening.close()));
      this.mailbox.close();
    } catch (error) {
      this.host.log.error("relay.stop_failed", { why: messageOf(error) });
    }
    this.release();
    this.host.log.info("relay.stopped", reason === undefined ? {} : { why: messageOf(reason) });
    this.ended.resolve(reason);
  }

  private acceptor(): Acceptor {
    const { identity, epoch, access } = this;
    return {
      id: identity.id,
      record: identity.record,
      sign: (bytes) => identity.sign(bytes),
      epoch,
      limits: { body_bytes: bodyBytesMax, frame_bytes: frameBytesMax, tasks_per_envelope: tasksPerEnvelopeMax },
      features: [],
      admit: (auth, hello, from) => access.admit(auth, hello, from),
    };
  }

  private http(certificate: Certificate | undefined): Http {
    const { service, access, identity, epoch, host, mailbox, url } = this;
    const challenges = new Challenges(host.clock, host.random);
    const pin = certificate === undefined ? {} : { cert_sha256: certificate.sha256 };
    const reachable =
      url === undefined ? undefined : { url: url.replace(/^http/, "ws"), relay_id: identity.id, ...pin };
    const admin = new Admin({
      service,
      access,
      challenges,
      mailbox,
      host,
      reachable,
      status: () => this.status(),
      // After the answer has left.
      stop: () => void host.clock.after(1, () => void this.stop()),
    });
    const program = ownProgram();
    const public_url = this.options.config.public_url;
    const shared = { service, access, admin, challenges, identity, epoch, host };
    return new Http({ ...shared, cert_pem: certificate?.cert, public_url, program });
  }

  private status(): RelayStatus {
    const { desk } = this.service.state;
    const { tasks, queued, news, letters } = this.mailbox.counts();
    const sessions = [...desk.sessions.values()];
    const users = sessions.filter((session) => session.role === "user").length;
    const { paths, socket, config } = this.options;
    return {
      id: this.id,
      epoch: this.epoch,
      pid: process.pid,
      host: this.host.hostname,
      since_ms: this.since_ms,
      data_dir: paths.dir,
      socket,
      listen: config.listen,
      url: this.url,
      connected: { users, endpoints: sessions.length - users },
      envelopes: tasks,
      queued,
      news,
      letters,
      storage_full: desk.storage_full,
      free_bytes: freeBytes(paths.dir),
      rss_bytes: process.memoryUsage.rss(),
    };
  }
}

function whereToListen(config: RelayConfig, certificate: Certificate | undefined): TcpWhere | undefined {
  if (config.listen === undefined) return undefined;
  const place = parseListen(config.listen);
  if (certificate !== undefined) return { ...place, tls: { key: certificate.key, cert: certificate.cert } };
  return { ...place, behind_proxy: true };
}

/** A listener on all addresses is reached by the name of the machine. */
function reachableHost(hostname: string, machine: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return machine;
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
