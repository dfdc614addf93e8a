/** Which rank is told to have failed: the first that failed by itself. */
import { describe, expect, test } from "bun:test";
import { describeFailedRank, failedRankIn, firstOf, lostNodeIn, readNote } from "../../core/worker/failed_rank.ts";

const signalName = (number: number) => (number === 11 ? "SIGSEGV" : "");

describe("firstOf()", () => {
  test("is the earliest that was not merely ended because of another", () => {
    const notes = ["0 a 143 5", "3 b 2 30", "1 a 1 20"]
      .map((text) => readNote(text))
      .filter((one) => one !== undefined);
    expect(firstOf(notes)?.rank).toBe("1");
    expect(firstOf(notes.slice(0, 1))?.code).toBe(143);
    expect(firstOf([])).toBeUndefined();
  });
});

describe("failedRankIn()", () => {
  test("reads what srun says", () => {
    const text = "srun: error: node03: task 2: Exited with exit code 3\nsrun: error: node02: tasks 0-1: Terminated\n";
    expect(failedRankIn(text)).toMatchObject({ rank: "2", node: "node03", code: 3 });
  });

  test("reads what Open MPI's mpiexec says", () => {
    const text = "The first process to do so was:\n\n  Process name: [[304,1],2]\n  Exit code:    3\n----\n";
    expect(failedRankIn(text)).toMatchObject({ rank: "2", code: 3 });
    const killed =
      "mpiexec noticed that process rank 1 with PID 0 on node node02 exited on signal 11 (Segmentation fault).";
    expect(failedRankIn(killed)).toMatchObject({ rank: "1", node: "node02", code: 139 });
  });

  test("reads what Hydra says, which names no rank", () => {
    const text =
      "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n=   PID 7 RUNNING AT n1\n=   EXIT CODE: 9\n";
    expect(failedRankIn(text)).toMatchObject({ rank: "", node: "n1", code: 9 });
  });

  test("says nothing where nobody failed", () => {
    expect(failedRankIn("all is well\n")).toBeUndefined();
  });
});

test("lostNodeIn() names the node that died under a program", () => {
  const slurm = "slurmstepd: error: x\nsrun: error: Node failure on node03\n";
  expect(lostNodeIn(slurm)).toBe("node03");
  const daemons = "  HNP daemon   : [[1,0],0] on node node02\n  Remote daemon: [[1,0],1] on node node04\n";
  const open = `ORTE has lost communication with a remote daemon.\n\n${daemons}`;
  expect(lostNodeIn(open)).toBe("node04");
  expect(lostNodeIn("srun: error: node03: task 2: Exited with exit code 3\n")).toBeUndefined();
});

test("describeFailedRank() names rank, node and code or signal", () => {
  const rank = { rank: "2", node: "node03", code: 3, at_ns: 0n };
  expect(describeFailedRank(rank, signalName)).toBe("Rank 2 on node03 exited with 3");
  expect(describeFailedRank({ ...rank, code: 139 }, signalName)).toBe(
    "Rank 2 on node03 was ended by SIGSEGV (exit code 139)",
  );
});
