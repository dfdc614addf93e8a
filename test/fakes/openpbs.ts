/** Speaks like OpenPBS 23.06.06, as it was captured: the server is called pbshead. */
import { chosen, optionsOf } from "./options.ts";
import { askedOf, deliver, isReply, killAtOnce, pbsRun, requestOf, sequenceIn, termThenKill } from "./pbs_jobs.ts";
import type { Job, Queue } from "./queue.ts";
import { type Call, clockOf, ctimeWithYear, failed, type Reply, type Speaker, said } from "./speaker.ts";

const server = "pbshead";
const idOf = (job: Pick<Job, "seq">): string => `${job.seq}.${server}`;
/** As the commands name an id that was given to them. */
const named = (id: string): string => (/^\d+$/.test(id) ? `${id}.${server}` : id);

const resources = new Set(["select", "place", "walltime", "nodes", "ncpus", "mem", "ngpus"]);

function qsub(call: Call): Reply {
  const asked = askedOf(call, { "-f": false, "-P": true }, "#PBS");
  if (isReply(asked)) return asked;
  const strange = [...asked.resources.keys()].find((name) => !resources.has(name));
  if (strange !== undefined) return failed(187, `qsub: Unknown resource Resource_List.${strange}\n`);
  if (asked.resources.has("select") && asked.resources.has("nodes"))
    return failed(6, "qsub: Cannot be used with select or place: nodes\n");
  const [count = "1", ...chunk] = (asked.resources.get("select") ?? "1").split(":");
  const cores = Number(chunk.find((part) => part.startsWith("ncpus="))?.slice(6) ?? 1);
  const request = requestOf(call, asked, Number(count), cores);
  if (request === undefined) return failed(166, "qsub: Illegal attribute or resource value Resource_List.walltime\n");
  const queue = call.queue.cluster.queues.find(({ name }) => name === request.queue);
  if (queue === undefined) return failed(170, "qsub: Unknown queue\n");
  if (!queue.open) return failed(173, "qsub: Queue is not enabled\n");
  const select = `${count}:${[...chunk, ...(chunk.some((part) => /^ncpus=/.test(part)) ? [] : ["ncpus=1"])].join(":")}`;
  const place = asked.resources.get("place") ?? "pack";
  const mail = chosen(asked.options, "-m") ?? "a";
  const rerun = chosen(asked.options, "-r") === "n" ? "False" : "True";
  return said(`${idOf(call.queue.submit({ ...request, extra: { select, place, rerun, mail } }))}\n`);
}

/** Jobs that are asked for and shown; what is wrong with the others, in the order of the ids. */
function lookUp({ queue }: Call, ids: readonly string[], finished: boolean): { jobs: Job[]; faults: Fault[] } {
  const jobs: Job[] = [];
  const faults: Fault[] = [];
  for (const id of ids) {
    const job = queue.find(sequenceIn(id));
    const over = job?.phase === "over";
    if (job === undefined || (over && !queue.cluster.history))
      faults.push({ code: 153, text: `qstat: Unknown Job Id ${named(id)}\n` });
    else if (over && !finished) {
      const hint = "Job has finished, use -x or -H to obtain historical job information";
      faults.push({ code: 35, text: `qstat: ${named(id)} ${hint}\n` });
    } else jobs.push(job);
  }
  return { jobs, faults };
}

interface Fault {
  readonly code: number;
  readonly text: string;
}

function qstat(call: Call): Reply {
  const { args, queue } = call;
  if (args[0] === "--version") return said("pbs_version = 23.06.06\n");
  const { given, rest: ids } = optionsOf(args, {
    "-E": false,
    "-x": false,
    "-f": false,
    "-F": true,
    "-w": false,
    "-Q": false,
  });
  const has = (option: string) => given.some((one) => one.option === option);
  if (has("-Q")) return said(json({ ...heading(), Queue: queues(queue) }));
  const asJson = has("-F");
  const empty = asJson ? json(heading()) : "";
  if (has("-x") && !queue.cluster.history) {
    const words = ids.map((id) => `qstat: PBS is not configured to maintain job history ${named(id)}\n`);
    return failed(0, words.join(""), empty);
  }
  const { jobs, faults } = ids.length === 0 ? { jobs: queue.living(), faults: [] } : lookUp(call, ids, has("-x"));
  const quiet = has("-E");
  const told = quiet ? (jobs.length > 0 ? [] : faults.slice(-1)) : faults;
  const stdout = asJson ? shown(jobs, empty) : wide(jobs);
  return { code: told.at(-1)?.code ?? 0, stdout, stderr: told.map(({ text }) => text).join("") };
}

function shown(jobs: readonly Job[], empty: string): string {
  if (jobs.length === 0) return empty;
  return json({ ...heading(), Jobs: Object.fromEntries(jobs.map((job) => [idOf(job), attributes(job)])) });
}

const heading = () => ({ timestamp: Math.floor(Date.now() / 1000), pbs_version: "23.06.06", pbs_server: server });

function wide(jobs: readonly Job[]): string {
  if (jobs.length === 0) return "";
  const line = (cells: readonly string[]) => {
    const [id = "", name = "", user = "", time = "", state = "", queue = ""] = cells;
    const [a, b, c] = [id.padEnd(29), name.padEnd(15), user.padEnd(15)];
    return `${a}  ${b} ${c}  ${time.padStart(8)} ${state} ${queue.padEnd(15)}\n`;
  };
  const rule = `${"-".repeat(29)}  ${"-".repeat(15)} ${"-".repeat(15)}  -------- - ${"-".repeat(15)}\n`;
  const rows = jobs.map((job) => {
    const time = job.started_ms === undefined ? "0" : "00:00:00";
    return line([idOf(job), job.name.slice(0, 15), job.owner, time, letterOf(job), job.queue]);
  });
  return `Job id                         Name            User             Time Use S Queue\n${rule}${rows.join("")}`;
}

function letterOf({ phase }: Job): string {
  return { pending: "Q", held: "H", running: "R", over: "F" }[phase];
}

/** Attributes in the order of the server. */
function attributes(job: Job): object {
  const { started_ms, end, hosts } = job;
  const ran = started_ms !== undefined;
  const last_ms = end?.at_ms ?? started_ms ?? job.submitted_ms;
  const used = clockOf(((end?.at_ms ?? Date.now()) - (started_ms ?? 0)) / 1000);
  const vnodes = hosts.map((host) => `(${host}:ncpus=${job.cores})`).join("+");
  const ncpus = job.nodes * job.cores;
  return {
    Job_Name: job.name,
    Job_Owner: `${job.owner}@${server}`,
    ...(ran
      ? { resources_used: { cpupercent: 0, cput: "00:00:00", mem: "0kb", ncpus, vmem: "0kb", walltime: used } }
      : {}),
    job_state: letterOf(job),
    queue: job.queue,
    server,
    Checkpoint: "u",
    ctime: ctimeWithYear(job.submitted_ms),
    Error_Path: `${server}:${job.stderr}`,
    ...(ran ? { exec_host: hosts.map((host) => `${host}/0`).join("+"), exec_vnode: vnodes } : {}),
    Hold_Types: job.phase === "held" ? "u" : "n",
    Join_Path: "n",
    Keep_Files: "n",
    Mail_Points: job.extra.mail ?? "a",
    mtime: ctimeWithYear(last_ms),
    Output_Path: `${server}:${job.stdout}`,
    Priority: 0,
    qtime: ctimeWithYear(job.submitted_ms),
    Rerunable: job.extra.rerun ?? "True",
    Resource_List: {
      ncpus,
      nodect: job.nodes,
      place: job.extra.place,
      select: job.extra.select,
      walltime: clockOf(job.walltime_s),
    },
    ...(ran ? { stime: ctimeWithYear(started_ms) } : {}),
    ...(end === undefined || !ran ? {} : { obittime: ctimeWithYear(end.at_ms) }),
    // A job that ended at once never had one.
    ...(ran && last_ms - started_ms + (end === undefined ? 1000 : 0) >= 1000 ? { session_id: job.pid ?? 0 } : {}),
    ...(ran ? { jobdir: job.env.HOME ?? "/" } : {}),
    substate: substateOf(job),
    Variable_List: { PBS_O_HOME: job.env.HOME ?? "/", PBS_O_WORKDIR: job.cwd, PBS_O_HOST: server },
    ...commentOf(job, vnodes),
    etime: ctimeWithYear(job.submitted_ms),
    ...(ran ? { run_count: 1 } : {}),
    ...(end === undefined || !ran ? {} : { Stageout_status: 1, Exit_status: exitOf(job) }),
    Submit_arguments: job.words,
    ...(end === undefined ? {} : { history_timestamp: Math.floor(end.at_ms / 1000) }),
    project: "_pbs_project_default",
    Submit_Host: server,
  };
}

/** 91: deleted. */
function substateOf({ phase, end }: Job): number {
  if (end !== undefined) return end.cause === "deleted" ? 91 : end.code === 0 && end.cause === "own" ? 92 : 93;
  return { pending: 10, held: 20, running: 42, over: 92 }[phase];
}

function commentOf(job: Job, vnodes: string): object {
  if (job.phase === "pending") return { comment: "Not Running: Not enough free nodes available" };
  if (job.started_ms === undefined) return {};
  const began = ctimeWithYear(job.started_ms).replace(/^(.{10}) (\d\d:\d\d).*$/, "$1 at $2");
  const { end } = job;
  const ending =
    end === undefined
      ? ""
      : end.cause === "walltime"
        ? " and exceeded resource walltime"
        : end.cause === "deleted"
          ? ` and terminated by ${job.owner}@${server}`
          : end.code === 0
            ? " and finished"
            : " and failed";
  return { comment: `Job run at ${began} on ${vnodes}${ending}` };
}

function exitOf({ end, told }: Job): number {
  if (end?.cause === "walltime") return -29;
  if (end?.cause === "deleted") return told === "kill" ? 265 : 271;
  return end?.code ?? 0;
}

function queues(queue: Queue): object {
  const row = ({ name, open }: { name: string; open: boolean }) => {
    const word = open ? "True" : "False";
    return [name, { queue_type: "Execution", total_jobs: 0, enabled: word, started: word }];
  };
  return Object.fromEntries(queue.cluster.queues.map(row));
}

/** Tabs, and a tab after each colon, as the server writes it. */
function json(value: object): string {
  return `${written(value, "")}\n`;
}

function written(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}\t`;
  const members = Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}:\t${written(one, inner)}`);
  return `{\n${members.join(",\n")}\n${indent}}`;
}

function qdel({ queue, args }: Call): Reply {
  const force = args[0] === "-W";
  let code = 0;
  let stderr = "";
  for (const id of args.slice(force ? 2 : 0)) {
    const job = queue.find(sequenceIn(id));
    if (job !== undefined && job.phase !== "over") {
      queue.remove(job.seq, force ? "kill" : "delete");
      continue;
    }
    code = job === undefined || !queue.cluster.history ? 153 : 35;
    stderr += code === 35 ? `qdel: Job has finished ${named(id)}\n` : `qdel: Unknown Job Id ${named(id)}\n`;
  }
  return { code, stdout: "", stderr };
}

function holding(name: "qhold" | "qrls"): (call: Call) => Reply {
  return ({ queue, args }) => {
    const job = queue.find(sequenceIn(args[0] ?? ""));
    if (job === undefined) return failed(153, `${name}: Unknown Job Id ${named(args[0] ?? "")}\n`);
    if (job.phase === "over") return failed(35, `${name}: Job has finished\n`);
    queue.hold(job.seq, name === "qhold");
    return said("");
  };
}

export const openpbs: Speaker = {
  commands: { qsub, qstat, qdel, qhold: holding("qhold"), qrls: holding("qrls") },
  launcher: "pbsdsh",
  run: (job, queue) => pbsRun(job, queue, idOf(job), { NCPUS: String(job.cores) }),
  after: deliver,
  deleted: () => termThenKill,
  killed: killAtOnce,
  over_time: () => termThenKill,
};
