/**
 * Speaks like Torque 6.1.2 whose server is called head, after its sources: no running one was at hand to capture. Jobs
 * that are over stay for a while when the cluster keeps a history (`keep_completed`), and not at all otherwise.
 */
import { optionsOf } from "./options.ts";
import { askedOf, deliver, isReply, killAtOnce, pbsRun, requestOf, sequenceIn, termThenKill } from "./pbs_jobs.ts";
import type { Job, Queue } from "./queue.ts";
import { type Call, clockOf, failed, type Reply, type Speaker, said } from "./speaker.ts";

const server = "head";
const idOf = (job: Pick<Job, "seq">): string => `${job.seq}.${server}`;
const named = (id: string): string => (/^\d+$/.test(id) ? `${id}.${server}` : id);

function qsub(call: Call): Reply {
  const asked = askedOf(call, { "-n": false, "-d": true, "-D": true }, "#PBS");
  if (isReply(asked)) return asked;
  const [count = "1", ...chunk] = (asked.resources.get("nodes") ?? "1").split(":");
  const cores = Number(chunk.find((part) => part.startsWith("ppn="))?.slice(4) ?? 1);
  const request = requestOf(call, asked, Number(count), cores);
  if (request === undefined)
    return failed(166, "qsub: Illegal attribute or resource value for Resource_List.walltime\n");
  const queue = call.queue.cluster.queues.find(({ name }) => name === request.queue);
  if (queue === undefined) return failed(170, "qsub: submit error (Unknown queue MSG=requested queue not found)\n");
  if (!queue.open) return failed(173, "qsub: submit error (Queue is not enabled MSG=queue is disabled)\n");
  return said(`${idOf(call.queue.submit(request))}\n`);
}

function qstat(call: Call): Reply {
  const { args, queue } = call;
  if (args[0] === "--version") return failed(0, "Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n");
  const { given, rest: ids } = optionsOf(args, { "-x": false, "-f": false, "-Q": false });
  if (given.some(({ option }) => option === "-Q")) return said(queuesOf(queue));
  const known = queue.all().filter((job) => queue.find(job.seq) !== undefined && isKept(job, queue));
  if (ids.length === 0) return said(known.length === 0 ? "" : `<Data>${known.map(xmlOf).join("")}</Data>\n`);
  let code = 0;
  let [stdout, stderr] = ["", ""];
  for (const id of ids) {
    const job = known.find(({ seq }) => seq === sequenceIn(id));
    if (job !== undefined) stdout += `<Data>${xmlOf(job)}</Data>\n`;
    else {
      code = 153;
      stderr += `qstat: Unknown Job Id Error ${named(id)}\n`;
    }
  }
  return { code, stdout, stderr };
}

function isKept({ phase }: Job, { cluster }: Queue): boolean {
  return phase !== "over" || cluster.history;
}

function xmlOf(job: Job): string {
  const seconds = (time_ms: number | undefined) => String(Math.floor((time_ms ?? 0) / 1000));
  const element = (name: string, text: string | undefined) => (text === undefined ? "" : `<${name}>${text}</${name}>`);
  const places = job.hosts.flatMap((host) => Array.from({ length: job.cores }, (_, i) => `${host}/${i}`)).join("+");
  const ran = job.started_ms !== undefined;
  const parts = [
    element("Job_Id", idOf(job)),
    element("Job_Name", job.name),
    element("Job_Owner", `${job.owner}@login1`),
    element("job_state", { pending: "Q", held: "H", running: "R", over: "C" }[job.phase]),
    element("queue", job.queue),
    element("server", server),
    element("Error_Path", `login1:${job.stderr}`),
    element("exec_host", ran ? places : undefined),
    element("exit_status", job.end === undefined || !ran ? undefined : String(exitOf(job))),
    element("Output_Path", `login1:${job.stdout}`),
    `<Resource_List>${element("walltime", clockOf(job.walltime_s))}</Resource_List>`,
    element("start_time", ran ? seconds(job.started_ms) : undefined),
    element("comp_time", job.end === undefined ? undefined : seconds(job.end.at_ms)),
  ];
  return `<Job>${parts.join("")}</Job>`;
}

/** 256 and more is a signal; a script that was told to go and ends by itself has a code of its own. */
function exitOf({ end }: Job): number {
  if (end?.cause === "walltime") return -11;
  return end === undefined || end.signal === 0 ? (end?.code ?? 0) : 256 + end.signal;
}

function queuesOf({ cluster }: Queue): string {
  const word = (open: boolean) => (open ? "True" : "False");
  return cluster.queues
    .map(({ name, open }) => {
      const lines = ["queue_type = Execution", "total_jobs = 0", `enabled = ${word(open)}`, `started = ${word(open)}`];
      return `Queue: ${name}\n${lines.map((line) => `    ${line}\n`).join("")}\n`;
    })
    .join("");
}

function ordering(name: "qdel" | "qhold" | "qrls"): (call: Call) => Reply {
  return ({ queue, args }) => {
    let code = 0;
    let stderr = "";
    for (const id of args) {
      const job = queue.find(sequenceIn(id));
      if (job === undefined || !isKept(job, queue)) {
        code = 153;
        stderr += `${name}: Unknown Job Id Error ${named(id)}\n`;
      } else if (job.phase === "over") {
        code = 170;
        stderr += `${name}: Request invalid for state of job MSG=invalid state for job - COMPLETE ${named(id)}\n`;
      } else if (name === "qdel") queue.remove(job.seq, "delete");
      else queue.hold(job.seq, name === "qhold");
    }
    return { code, stdout: "", stderr };
  };
}

export const torque: Speaker = {
  commands: { qsub, qstat, qdel: ordering("qdel"), qhold: ordering("qhold"), qrls: ordering("qrls") },
  launcher: "pbsdsh",
  run: (job, queue) =>
    pbsRun(job, queue, idOf(job), { PBS_NUM_PPN: String(job.cores), PBS_WALLTIME: String(job.walltime_s) }),
  after: deliver,
  deleted: () => termThenKill,
  killed: killAtOnce,
  over_time: () => termThenKill,
};
