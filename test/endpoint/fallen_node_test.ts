/** A node that died under a block that goes on: what its launcher says is proof, and nothing else is. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFell } from "../../core/endpoint/fallen_node.ts";

const said = "worker.connected\nsrun: error: Node failure on node04\nworker.disconnected\n";

let block = "";
afterEach(() => rmSync(block, { recursive: true, force: true }));

function worker(node: string): string {
  block = mkdtempSync(join(tmpdir(), "gc-block-"));
  const dir = join(block, "workers", "w");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "worker.pid.json"), JSON.stringify({ pid: 1, starttime: "", boot_id: "", node }));
  return dir;
}

test("nodeFell() holds for the node that the launcher names, and for no other", () => {
  const dir = worker("node04");
  expect(nodeFell(dir)).toBe(false);
  writeFileSync(join(block, "stderr"), said);
  expect(nodeFell(dir)).toBe(true);
  rmSync(block, { recursive: true });
  const other = worker("node0");
  writeFileSync(join(block, "stderr"), said);
  expect(nodeFell(other)).toBe(false);
});
