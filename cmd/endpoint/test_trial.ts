/**
 * An endpoint for one test, wholly inside this process: a relay on a local disk, the endpoint itself in a folder beside
 * the configured one (where compute nodes see it), and a client. So a test disturbs no running endpoint and no list of
 * tasks, and when this process is killed nothing of it goes on but one short block.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localContext } from "../../core/config/context.ts";
import type { EndpointConfig } from "../../core/config/endpoint_config.ts";
import type { OwnEndpointFolder } from "../../core/config/endpoint_folder.ts";
import { type EndpointPaths, openHome } from "../../core/config/home.ts";
import { createEndpointKey, loadIdentity } from "../../core/config/identity.ts";
import { type Endpoint, runEndpoint } from "../../core/endpoint/daemon.ts";
import { GcError } from "../../core/errors.ts";
import { makePrivateDir, readJsonIfThere, removeTree } from "../../core/host/files.ts";
import type { Host } from "../../core/host/host.ts";
import { leaseIsLive, readLease } from "../../core/host/lease.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import { type Relay, startRelay } from "../../core/relay/server.ts";
import type { KeyRecord } from "../../core/schema/envelope.ts";
import type { StatusAnswer, TaskStanding } from "../../core/schema/live_message.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { openClient } from "../../core/submit/open_client.ts";
import { type EnvelopeId, taskId } from "../../core/task/id.ts";

/** Lines of the endpoint's log that are kept for a report. */
const logLinesMax = 200;
const answerWithin_ms = 5000;

interface Parts {
  readonly relay: Relay;
  readonly endpoint: Endpoint;
  readonly client: ReturnType<typeof openClient>["client"];
  readonly record: KeyRecord;
  readonly paths: EndpointPaths;
  /** Folder on a disk of this machine. */
  readonly local: string;
  /** The end of the endpoint's log. */
  readonly log: readonly string[];
}

export class Trial {
  private readonly parts: Parts;

  private constructor(parts: Parts) {
    this.parts = parts;
  }

  /**
   * Starts everything. `config` is run as it is given.
   * @throws GcError temporary `endpoint.test_running` while another test of this endpoint runs.
   */
  static async begin(own: OwnEndpointFolder, config: EndpointConfig): Promise<Trial> {
    const log: string[] = [];
    const write = (line: string): void => {
      log.push(line);
      if (log.length > logLinesMax) log.shift();
    };
    const host = realHost(createLog(write, "info", Date.now));
    const paths = pathsOf(own.paths);
    clearFolder(paths, host, own.name);
    const local = mkdtempSync(join(tmpdir(), "gc-test-"));
    const home = openHome({ GC_HOME: join(local, "home") });
    makePrivateDir(home.root);
    makePrivateDir(home.relay.dir);
    makePrivateDir(paths.dir);
    const socket = home.socket("relay");
    const relay = await startRelay({ paths: home.relay, socket, config: { v: 1 } }, host);
    let mine = false;
    try {
      const key = createEndpointKey(paths.key, loadIdentity(home, host).record, host);
      mine = true;
      const address = { kind: "unix", path: socket } as const;
      const places = { name: own.name, paths, socket: home.socket("endpoint") };
      const endpoint = await runEndpoint({ ...places, config, own: key, relay: () => address }, host);
      const { client } = openClient(home, host, localContext);
      const { record } = key.identity;
      client.prepare(record);
      return new Trial({ relay, endpoint, client, record, paths, local, log });
    } catch (error) {
      await relay.stop();
      if (mine) removeTree(paths.dir);
      removeTree(local);
      throw error;
    }
  }

  get log(): readonly string[] {
    return this.parts.log;
  }

  /** The port at which workers of blocks find the endpoint. */
  get port(): number | undefined {
    const door = readJsonIfThere(join(this.parts.paths.dir, "door.json")) as { port?: number } | undefined;
    return door?.port;
  }

  /** Hands a task over; `answer` is its result. */
  submit(spec: TaskSpec): { id: EnvelopeId; answer: Promise<Result | GcError> } {
    const { script, ...base } = spec;
    const task = script === undefined ? {} : { script };
    const head = this.parts.client.submit(this.parts.record, { base, tasks: [task], endpoint_name: "test" });
    const id = head.id as EnvelopeId;
    return { id, answer: this.first(id) };
  }

  /** How the endpoint is; undefined when it does not say. */
  async status(): Promise<StatusAnswer | undefined> {
    const answer = await this.parts.client.ask(this.parts.record, { t: "ask_status" }, answerWithin_ms);
    return typeof answer === "string" || answer.t !== "answer_status" ? undefined : answer;
  }

  /** How the task is, and why. */
  async standing(id: EnvelopeId): Promise<TaskStanding | undefined> {
    const answer = await this.parts.client.ask(
      this.parts.record,
      { t: "ask_tasks", tids: [taskId(id, 0)] },
      answerWithin_ms,
    );
    return typeof answer === "string" || answer.t !== "answer_tasks" ? undefined : answer.tasks[0];
  }

  /** Takes the block back and leaves nothing behind. */
  async close(): Promise<void> {
    this.parts.endpoint.stop("now");
    await this.parts.endpoint.done;
    this.parts.client.close();
    await this.parts.relay.stop();
    removeTree(this.parts.paths.dir);
    removeTree(this.parts.local);
  }

  private async first(id: EnvelopeId): Promise<Result | GcError> {
    for await (const { batches } of this.parts.client.watch({ envelopes: [id] })) {
      for (const { results } of batches) if (results?.[0] !== undefined) return results[0];
    }
    return new GcError("internal", "watch.ended", "The watch on the probe ended without a result");
  }
}

/** The same files, in the folder `test` beside them. */
function pathsOf(paths: EndpointPaths): EndpointPaths {
  const dir = join(paths.dir, "test");
  const moved = Object.entries(paths).map(([key, path]) => [key, path.replace(paths.dir, dir)]);
  return Object.fromEntries(moved) as unknown as EndpointPaths;
}

/** What a test left behind that was killed. Its block ends by itself: its folder is gone, or its minute is over. */
function clearFolder(paths: EndpointPaths, host: Host, name: string): void {
  const holder = readLease(paths.lease);
  if (holder !== undefined && leaseIsLive(paths.lease, holder, host)) {
    const what = `Another test of the endpoint "${name}" runs on ${holder.host} as process ${holder.pid}`;
    throw new GcError("temporary", "endpoint.test_running", what, { hint: `gc endpoint test ${name}` });
  }
  removeTree(paths.dir);
}
