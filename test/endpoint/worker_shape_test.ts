/** From the configuration of an engine to the file of its workers: slots, shares, binding, containers. */
import { describe, expect, test } from "bun:test";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import type { LocalEngine } from "../../core/config/engine_parts.ts";
import { batchSettings } from "../../core/endpoint/batch_engine.ts";
import { blockPlacement, localPlacement } from "../../core/endpoint/worker_shape.ts";
import type { BatchEngine } from "../../core/schema/batch_engine.ts";
import { fits } from "../../core/schema/validate.ts";

const engineOf = (yaml: string) => parseEndpointConfig(Buffer.from(`engine:\n${yaml}`), "config.yaml").engine;
const local = (lines: string): LocalEngine => engineOf(`  type: local\n${lines}`) as LocalEngine;
const batch = (lines: string): BatchEngine => engineOf(`  type: batch\n  scheduler: slurm\n${lines}`) as BatchEngine;
const globus = (lines: string, provider = "SlurmProvider") =>
  engineOf(`  type: GlobusComputeEngine\n  provider: {type: ${provider}}\n${lines}`);
const here = (env: { [name: string]: string } = {}) => ({ env, hostname: "h" });

describe("on this machine", () => {
  test("there are as many slots as the endpoint says, with its memory", () => {
    const placed = localPlacement(local("  slots: 3\n  memory_mib: 512\n"), here({ CUDA_VISIBLE_DEVICES: "" }));
    expect(placed).toEqual({ slots: 3, resources: { cores: 3, memory_mib: 512, gpus: 0 } });
  });

  test("there is at least one slot, and some memory, where nothing is said", () => {
    const { slots, resources } = localPlacement(local(""), here());
    expect(slots).toBeGreaterThanOrEqual(1);
    expect(resources.cores).toBe(slots);
    expect(resources.memory_mib).toBeGreaterThan(1);
  });

  test("GPUs that are there are lent to whoever asks, but not by several workers", () => {
    const env = { CUDA_VISIBLE_DEVICES: "2,3" };
    const placed = localPlacement(local("  slots: 4\n"), here(env));
    expect(placed).toMatchObject({ slots: 4, accelerators: ["2", "3"], resources: { gpus: 2 } });
    expect(placed.accelerator_each).toBeUndefined();
    expect(localPlacement(local("  slots: 4\n  workers: 2\n"), here(env)).resources.gpus).toBe(0);
  });

  test("there are as many slots as accelerators to share out", () => {
    const engine = local("  slots: 8\n  available_accelerators: 2\n  cpu_affinity: block\n");
    expect(localPlacement(engine, here())).toMatchObject({
      ...{ slots: 2, accelerators: ["0", "1"], accelerator_each: true, cpu_affinity: "block" },
    });
  });

  test("an engine of Globus Compute keeps its accelerators, binding and container", () => {
    const lines = "  max_workers_per_node: 2\n  available_accelerators: [a, b]\n  cpu_affinity: block-reverse\n";
    const container =
      "  container_type: docker\n  container_uri: busybox\n  container_cmd_options: --gpus 'device=0 1'\n";
    const engine = globus(lines + container, "LocalProvider") as LocalEngine;
    expect(localPlacement(engine, here())).toMatchObject({
      ...{ slots: 2, accelerators: ["a", "b"], cpu_affinity: "block-reverse" },
      container: { type: "docker", image: "busybox", options: ["--gpus", "device=0 1"] },
    });
  });
});

describe("on nodes of blocks", () => {
  const container = "  container: {type: apptainer, image: x.sif, options: '--nv --bind /data'}\n";

  test("workers are told what to share out", () => {
    const more = "  memory_per_worker: 2\n  available_accelerators: 4\n  cpu_affinity: list:0-3:4-7:8:9\n";
    const placed = blockPlacement(batch(more + container));
    expect(placed).toEqual({
      memory_mib_per_slot: 2048,
      accelerators: ["0", "1", "2", "3"],
      accelerator_each: true,
      cpu_affinity: "list:0-3:4-7:8:9",
      container: { type: "apptainer", image: "x.sif", options: ["--nv", "--bind", "/data"] },
    });
    const file = { v: 1, id: "w", endpoint_id: "e", link: { kind: "door", path: "/d" }, secret: "x".repeat(43) };
    const rest = { slots: 1, prefetch: 0, sandboxes: "/s", outputs: "/o", resources: {}, env: {} };
    expect(fits("worker_file", { ...file, ...rest, ...placed })).toBe(true);
  });

  test("nothing is said of what nobody configured", () => {
    expect(blockPlacement(batch(""))).toEqual({});
  });

  test.each([
    ["", Number.POSITIVE_INFINITY],
    ["  max_workers_per_node: 7\n", 7],
    ["  cores_per_node: 32\n  cores_per_worker: 4\n", 8],
    ["  cores_per_node: 32\n  memory_mib_per_node: 8192\n  memory_per_worker: 4\n", 2],
    ["  cores_per_node: 32\n  available_accelerators: 4\n", 4],
  ])("%p is known to give %p slots for each node", (lines, slots) => {
    expect(batchSettings(batch(lines)).slots_per_node).toBe(slots);
  });
});

describe("a configuration is refused", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["for an unknown way of binding", () => local("  cpu_affinity: blocks\n"), /cpu_affinity/],
    ["for a list that is none", () => batch("  cpu_affinity: 'list:'\n"), /cpu_affinity/],
    ["for a container without an image", () => local("  container: {type: docker}\n"), /needs "image" beside it/],
    ["for a custom one without words", () => batch("  container: {type: custom}\n"), /needs "options" beside it/],
    ["for Globus Compute's without an image", () => globus("  container_type: docker\n"), /container_uri/],
    ["for accelerators of two workers", () => local("  workers: 2\n  available_accelerators: 2\n"), /one worker/],
  ])("%s", (_name, load, message) => {
    expect(load).toThrow(message);
  });
});
