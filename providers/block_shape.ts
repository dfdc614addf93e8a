/**
 * The engine of a configuration → what each of its blocks is asked for; with a name and a directory, the whole request.
 * One place for both, so that `gc endpoint render` prints exactly what an endpoint submits.
 */
import type { BatchEngine } from "../core/schema/batch_engine.ts";
import type { BlockRequest } from "./block_request.ts";

/** What all blocks of an engine have in common. */
export type BlockShape = Omit<BlockRequest, "name" | "block_dir" | "stdout_path" | "stderr_path" | "worker">;

export function blockShape(engine: BatchEngine): BlockShape {
  const {
    type: _,
    scheduler: _scheduler,
    blocks,
    workers: _workers,
    mpi: _mpi,
    container: _container,
    ...rest
  } = engine;
  const { ignored: _ignored, exclusive, ...asked } = rest;
  return { ...asked, nodes: blocks.nodes, walltime_s: blocks.walltime_s, exclusive };
}

/** The request for the block `name`, which lives in `dir` and whose nodes run `gc`, the command that is gc itself. */
export function blockRequest(shape: BlockShape, name: string, dir: string, gc: readonly string[]): BlockRequest {
  return {
    ...shape,
    name,
    block_dir: dir,
    stdout_path: `${dir}/stdout`,
    stderr_path: `${dir}/stderr`,
    worker: [...gc, "__worker", "--block", dir],
  };
}
