/**
 * Many workers in one process: `worker_crowd.ts BLOCK_FOLDER COUNT SLOTS`. Each has its own folder, secret and link, as
 * a worker of that block, and says at once that a task is over. What a thousand nodes are to an endpoint, on two cores.
 */
import { join } from "node:path";
import { readJsonIfThere } from "../../core/host/files.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";
import type { WorkerFile } from "../../core/schema/worker_file.ts";
import type { FromWorker, Report, Run } from "../../core/schema/worker_message.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { keepLink, type Link, workerSelf } from "../../core/wire/link.ts";
import { joinBlock } from "../../core/worker/block_member.ts";
import { EndpointAddress } from "../../core/worker/endpoint_address.ts";

/** As workers of blocks have it. */
const tasksAhead = 256;
const host = realHost(createLog((line) => console.error(line), "warn", Date.now));
const nothing = { total: 0, kept: 0 };

function begin(block: string, slots: number): void {
  const { id, secret, link } = readJsonIfThere(join(joinBlock(block, host), "worker.json")) as WorkerFile;
  const instance = Buffer.from(host.random.bytes(16)).toString("hex");
  const say = (to: Link, message: FromWorker): void => to.send([message as unknown as Frameable]);
  const resources = { cores: slots };
  const address = new EndpointAddress(link);
  keepLink(
    () => address.next(host.clock.monotonic()),
    workerSelf(id, secret, { instance }),
    {
      up: (up) =>
        say(up, {
          t: "ready",
          host: id.slice(-8),
          pid: process.pid,
          slots,
          prefetch: tasksAhead,
          resources,
          holding: [],
        }),
      messages: (from, messages) => {
        for (const message of messages) if (message.t === "run") say(from, over(message as unknown as Run));
      },
      down: () => {},
    },
    host,
  );
}

function over({ lots }: Run): Report {
  const now_ms = Date.now();
  const outcome = { class: "ok", cause: "exit", exit_code: 0 } as const;
  const finished = lots.flatMap(({ tasks }) =>
    tasks.map(({ tid, attempt }) => {
      const result = {
        outcome,
        stdout: nothing,
        stderr: nothing,
        attempt,
        started_ms: now_ms,
        ended_ms: now_ms,
        host: "sim",
      };
      return { tid, attempt, result };
    }),
  );
  return { t: "report", started: [], finished };
}

const [block = "", count = "1", slots = "32"] = process.argv.slice(2);
for (let i = 0; i < Number(count); i++) begin(block, Number(slots));
