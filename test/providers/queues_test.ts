/** Partitions and queues, as six schedulers listed them. */
import { describe, expect, test } from "bun:test";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import { parallelEnvironments } from "../../providers/gridengine/queues.ts";
import { queueQuestions } from "../../providers/queues.ts";
import { accountsOf } from "../../providers/slurm/queues.ts";
import { answerOf, keptCaptures } from "./captures.ts";

const captures = ["slurm", "openpbs", "openlava", "cobalt", "gridengine"].flatMap((file) =>
  keptCaptures(`queues/${file}`),
);

function listed(scheduler: SchedulerName, name: string): string[] | undefined {
  const capture = captures.find((one) => one.case === name);
  if (capture === undefined) throw new Error(`There is no capture "${name}"`);
  return queueQuestions[scheduler].read(answerOf(capture))?.map((queue) => {
    const marks = [queue.is_default ? "default" : "", queue.is_open ? "" : "closed"].filter(Boolean);
    const limits = [queue.walltime_max_s ?? "", queue.nodes_max ?? ""].join("/");
    return [queue.name, ...marks, limits].join(" ");
  });
}

describe("queues", () => {
  test("of Slurm come with their limits and their nodes", () => {
    expect(listed("slurm", "queues-sinfo-h-o")).toEqual([
      "batch default 3600/",
      "debug 300/2",
      "low 3600/",
      "spot 3600/",
      "high 3600/",
    ]);
    const first = "a*|up|infinite|n/a|3|64+|256000+|gpu:a100:4(S:0-1),nvme:1";
    const said = `${first}|1-infinite|idle\na*|up|infinite|n/a|2|32|1000|(null)|1-infinite|mixed\n`;
    expect(queueQuestions.slurm.read({ code: 0, stdout: said, stderr: "" })).toEqual([
      {
        name: "a",
        is_default: true,
        is_open: true,
        nodes: 5,
        cores_per_node: 64,
        memory_mib_per_node: 256000,
        gpus_per_node: 4,
      },
    ]);
  });

  test("of the others come with what they tell", () => {
    expect(listed("pbspro", "queues-qstat-Qf-json")).toEqual([
      "workq /",
      "short 600/2",
      "closed closed /",
      "stopped closed /",
      "private /",
    ]);
    expect(listed("torque", "queues-qstat-Qf")).toEqual(listed("pbspro", "queues-qstat-Qf-json"));
    expect(listed("openlava", "queues-bqueues-l")?.slice(0, 3)).toEqual(["high /", "short 600/", "normal /"]);
    expect(listed("cobalt", "queues-qstat-Q")).toEqual([
      "closed closed /",
      "default default /",
      "private /",
      "short 600/",
      "stopped closed /",
    ]);
    expect(listed("gridengine", "queues-qconf-sql")).toEqual(["bob.q /", "main.q /", "short.q /"]);
  });

  test("are not guessed when the command failed", () => {
    for (const { read } of Object.values(queueQuestions)) {
      expect(read({ code: 1, stdout: "", stderr: "down" })).toBeUndefined();
      expect(read({ code: undefined, stdout: "", stderr: "" })).toBeUndefined();
    }
  });

  test("have company: accounts of Slurm and parallel environments of Grid Engine", () => {
    expect(accountsOf("alice").args).toContain("user=alice");
    expect(accountsOf("alice").read({ code: 0, stdout: "proj\nproj\nother\n", stderr: "" })).toEqual(["proj", "other"]);
    expect(parallelEnvironments.read({ code: 0, stdout: "make\nmpi\n", stderr: "" })).toEqual(["make", "mpi"]);
  });
});
