import { expect, test } from "bun:test";
import { fallenNodes } from "../../../providers/slurm/fallen_nodes.ts";

test("fallenNodes() takes whole lines of the launcher only", () => {
  expect([...fallenNodes("worker.connected\nsrun: error: Node failure on node04\nworker.disconnected\n")]).toEqual([
    "node04",
  ]);
  expect(fallenNodes('told: "srun: error: Node failure on node04"\n').size).toBe(0);
});
