/**
 * Programs of several ranks in blocks of several nodes, compiled with Open MPI and started by srun and by mpiexec.
 * Those on one endpoint are told one after the other, because they look at what is free in its block.
 */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskSpec } from "../../core/schema/task.ts";
import { until } from "../e2e/until.ts";
import type { Alice, Answer } from "./alice.ts";
import { idleGaps_ms, overlaps, type Stay, unused } from "./node_stays.ts";
import { jobsOf, power, running, slurm } from "./slurm.ts";
import type { Stage } from "./stage.ts";

/**
 * UCX takes nodes that share a kernel for one node and mixes up their process numbers: about one program in forty hangs
 * or crashes (seen with Debian's 1.13). What people set for their MPI library also has to reach it.
 */
const init = "export OMPI_MCA_pml=ob1 OMPI_MCA_btl=tcp,self";

/** As Globus Compute documents it, with this cluster's partition and times. */
const seed = `display_name: SlurmMPI
engine:
  type: GlobusMPIEngine
  mpi_launcher: srun
  max_workers_per_block: 4
  provider:
    type: SlurmProvider
    partition: batch
    launcher:
      type: SimpleLauncher
    worker_init: ${init}
    walltime: "00:10:00"
    nodes_per_block: 4
    init_blocks: 0
    min_blocks: 0
    max_blocks: 1
`;

const patience_ms = 120_000;

/** Tells the stories of MPI programs. */
export function mpiStories({ story }: Stage): void {
  let turn: Promise<void> = Promise.resolve();
  /** After the one before, however that ended. */
  const next = (name: string, tell: (alice: Alice) => Promise<void>): void => {
    story(name, (alice) => {
      turn = turn.catch(() => {}).then(() => tell(alice));
      return turn;
    });
  };

  next("the seed's example: each of two hosts prints once, and then twice", async (alice) => {
    slurm("mpicc.openmpi", "-o", join(alice.folder, "rank_times"), join(import.meta.dir, "rank_times.c"));
    await alice.endpointOf("seed", seed);
    for (const ranks_per_node of [1, 2]) {
      const script = "$PARSL_MPI_PREFIX hostname";
      const [id = ""] = await alice.submitAll("seed", [{ script, resources: { nodes: 2, ranks_per_node } }]);
      const counts = countsOf(textOf((await alice.results([id], patience_ms))[0]));
      expect([...counts.values()]).toEqual([ranks_per_node, ranks_per_node]);
      for (const host of counts.keys()) expect(host).toMatch(/^node\d\d$/);
    }
  });

  next("gc run starts the ranks of a compiled program itself, and labels what they say", async (alice) => {
    const shape = ["--nodes", "2", "--ranks-per-node", "2", "--label-ranks"];
    const program = [join(alice.folder, "rank_times"), alice.folder, "0"];
    const ran = await alice.run([
      "run",
      "--endpoint",
      "seed",
      ...shape,
      "--",
      "sh",
      "-c",
      '"$@" && echo done',
      "sh",
      ...program,
    ]);
    expect(ran.stderr).toBe("");
    expect(ran.stdout.trim().split("\n").sort()).toEqual(["0: done", "1: done", "2: done", "3: done"]);
  });

  next("a mix of 1, 2, 3 and 4 nodes never meets on a node, and nothing waits that fits", async (alice) => {
    const sizes = [1, 3, 2, 1, 4, 2, 1, 1, 3, 2, 1, 4, 2, 1];
    const line = 'set -e; date +%s.%N; $GC_MPI_PREFIX "$PROGRAM" "$FOLDER" 0.5; date +%s.%N; echo "$GC_NODELIST"';
    const env = { PROGRAM: join(alice.folder, "rank_times"), FOLDER: alice.folder };
    const tasks = sizes.map(
      (nodes): TaskSpec => ({ script: line, env, walltime_s: 60, resources: { nodes, ranks_per_node: 1 } }),
    );
    const ids = await alice.submitAll("seed", tasks);
    const answers = await alice.results(ids, patience_ms);
    expect(answers.filter(({ outcome }) => outcome.class !== "ok")).toEqual([]);
    expect(ids.map((id) => ranksOf(alice, id).length)).toEqual(sizes);
    const byRank = ids.flatMap((id) => ranksOf(alice, id).map((one): Stay => ({ ...one, task: id })));
    expect(overlaps(byRank)).toEqual([]);
    const byTask = answers.flatMap(staysOf);
    expect(overlaps(byTask)).toEqual([]);
    expect(unused(byTask, 4)).toBeLessThan(5);
    expect(jobsOf("seed").length).toBe(1);
    const gaps = idleGaps_ms(byTask).sort((a, b) => a - b);
    console.log(`idle between programs on a node: median ${gaps[gaps.length >> 1]?.toFixed(1)} ms of ${gaps.length}`);
  });

  next("a rank that fails ends its program, and the result says which, where and how", async (alice) => {
    const line = 'test "$SLURM_PROCID" = 2 && exit 3; sleep 600';
    const argv = ["sh", "-c", line];
    const [id = ""] = await alice.submitAll("seed", [{ argv, resources: { nodes: 2, ranks_per_node: 2 } }]);
    const [answer] = await alice.results([id], patience_ms);
    expect(answer?.outcome).toMatchObject({ class: "fail", exit_code: 3 });
    expect(answer?.outcome.reason).toMatch(/^Rank 2 on node\d\d exited with 3$/);
  });

  next("srun: ranks that are cancelled or run out of time leave no process on any node", (alice) =>
    leaveNothing(alice, "seed"),
  );

  story(
    "mpiexec: ranks see each other, and leave no process when they are cancelled or run out of time",
    async (alice) => {
      await alice.endpoint("open", { nodes_per_block: 2, mpi_launcher: "mpiexec", worker_init: init });
      const argv = [join(alice.folder, "rank_times"), alice.folder, "0"];
      await until(() => readdirSync(alice.folder).includes("rank_times"), "the compiled program", 60_000, 200);
      const [id = ""] = await alice.submitAll("open", [{ argv, resources: { nodes: 2, ranks: 4 } }]);
      const [answer] = await alice.results([id], patience_ms);
      expect(answer?.outcome).toMatchObject({ class: "ok" });
      const ranks = ranksOf(alice, id);
      expect(ranks.map(({ size, sum }) => [size, sum])).toEqual([...Array(4)].map(() => [4, 6]));
      expect([...countsOf(ranks.map(({ node }) => node).join("\n")).values()]).toEqual([2, 2]);
      await leaveNothing(alice, "open");
    },
  );

  for (const [part, at] of [
    ["the first node of a program", 0],
    ["another node of a program", 1],
  ] as const) {
    story(`${part} dies: only that program runs again, and the block goes on with the others`, async (alice) => {
      const name = `torn${at}`;
      await alice.endpoint(name, { nodes_per_block: 5, mpi_launcher: "srun" });
      const script = 'echo "$GC_TASK_UUID $GC_TASK_ATTEMPT $GC_NODELIST" >>"$FILE"; exec $GC_MPI_PREFIX sleep "$FOR"';
      const env = { FILE: join(alice.folder, name) };
      const resources = { nodes: 2, ranks_per_node: 1 };
      const [first = "", ...others] = await alice.submitAll(
        name,
        // The one that keeps the node of the batch script, without which Slurm ends a block, goes on until the end.
        ["45", "30"].map((FOR): TaskSpec => ({ script, env: { ...env, FOR }, resources })),
      );
      await until(() => alice.lines(name).length === 2, "both to run", 90_000, 200);
      const struck = alice.lines(name).find((line) => !line.includes(batchNode(name))) ?? "";
      const node = struck.split(" ")[2]?.split(",")[at] ?? "";
      power("fail", node);
      try {
        const answers = await alice.results([first, ...others], 200_000);
        expect(answers.filter(({ outcome }) => outcome.class !== "ok")).toEqual([]);
        const attempts = new Map(answers.map(({ id, attempt }) => [id, attempt]));
        expect(attempts.get(struck.split(" ")[0] ?? "")).toBe(2);
        expect([...attempts.values()].sort()).toEqual([1, 2]);
        expect(jobsOf(name).length).toBe(1);
      } finally {
        power("boot", node);
      }
    });
  }
}

/** Where the batch script of the only block of an endpoint runs. */
function batchNode(endpoint: string): string {
  return /node\[?(\d+)/.exec(running(endpoint)[0]?.nodes ?? "")?.[1]?.replace(/^/, "node") ?? "none";
}

async function leaveNothing(alice: Alice, endpoint: string): Promise<void> {
  const mark = `60${endpoint.length}.${endpoint.charCodeAt(0)}`;
  const argv = ["sleep", mark];
  const resources = { nodes: 2, ranks_per_node: 2 };
  const ended = [{ argv, resources, walltime_s: 4, grace_s: 2 }];
  const [late = ""] = await alice.submitAll(endpoint, ended);
  expect((await alice.results([late], patience_ms))[0]?.outcome).toMatchObject({ class: "fail", exit_code: 124 });
  expect(sleepers(mark)).toEqual([]);
  for (const grace_s of [2, 0]) {
    const [id = ""] = await alice.submitAll(endpoint, [{ argv, resources, grace_s }]);
    await until(() => sleepers(mark).length === 4, "four ranks", 60_000, 200);
    await alice.world.gc(["cancel", id]);
    expect((await alice.results([id], patience_ms))[0]?.outcome.class).toBe("cancelled");
    expect(sleepers(mark)).toEqual([]);
  }
}

/** Ranks that sleep for `mark` seconds: nodes have process tables of their own, and this machine sees all. */
function sleepers(mark: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandOf(pid) === `sleep\0${mark}\0`);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** What `rank_times` wrote for a task. */
function ranksOf(alice: Alice, task: string) {
  return readdirSync(alice.folder)
    .filter((name) => name.startsWith(`${task}.`))
    .map((name) => {
      const [node = "", begun = "", ended = "", size = "", sum = ""] = readFileSync(
        join(alice.folder, name),
        "utf8",
      ).split(" ");
      return { node, begun_s: Number(begun), ended_s: Number(ended), size: Number(size), sum: Number(sum) };
    });
}

/** From a task that printed its start, its end and its nodes. */
function staysOf({ id, stdout }: Answer): Stay[] {
  const [begun = "", ended = "", nodes = ""] = (stdout.text ?? "").split("\n");
  return nodes.split(",").map((node) => ({ task: id, node, begun_s: Number(begun), ended_s: Number(ended) }));
}

function textOf(answer: Answer | undefined): string {
  expect(answer?.outcome).toMatchObject({ class: "ok" });
  return answer?.stdout.text ?? "";
}

function countsOf(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.trim().split("\n")) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
