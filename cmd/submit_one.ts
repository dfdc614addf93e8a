/** One task handed over without waiting for it: its id on standard output once it is on stable storage at the relay. */

import * as fs from "node:fs";
import { GcError } from "../core/errors.ts";
import { fileError } from "../core/host/files.ts";
import type { Stdin, TaskSpec } from "../core/schema/task.ts";
import type { Fate } from "../core/submit/client.ts";
import { fromWireError } from "../core/wire/link.ts";
import type { Cli } from "./cli.ts";
import { batchOf, type SubmitWish } from "./task_batch.ts";
import { TaskDesk } from "./task_desk.ts";

/** Hands one task over and prints its id. Returns the exit code: 75 when it waits in the outbox. */
export async function submitOne(cli: Cli, spec: TaskSpec, wish: SubmitWish & { stdin?: string }): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    const endpoint = await desk.endpoint(wish.endpoint);
    const { client } = desk;
    client.prepare(endpoint.record);
    client.adoptWaiting();
    const whole: TaskSpec = wish.stdin === undefined ? spec : { ...spec, stdin: inlineInput(wish.stdin) };
    let learn: (fate: Fate) => void = () => {};
    const fate = new Promise<Fate>((resolve) => {
      learn = resolve;
    });
    const head = client.submit(endpoint.record, batchOf(desk, endpoint, whole, wish), learn);
    client.flush();
    const answer = await desk.settled(fate);
    if (answer === "stored" || answer === "accepted") {
      if (desk.startsItself(endpoint)) await desk.seeOnline(endpoint);
      const value = { id: head.id, group: head.group, endpoint_id: endpoint.record.id, state: "stored" };
      cli.printer.document("gc/submitted/v1", value, () => head.id);
      return 0;
    }
    if (answer instanceof GcError) {
      tellQueued(cli, head.id, answer);
      return 75;
    }
    throw typeof answer === "object" ? fromWireError(answer) : new Error(`The new task was ${answer}`);
  } finally {
    desk.close();
  }
}

/** Says that a task waits here, and how it will be sent. The id goes to standard error: nothing is promised yet. */
export function tellQueued(cli: Cli, id: string, { message: why }: GcError): void {
  const value = { id, state: "queued_here", reason: why };
  if (cli.printer.mode === "json") {
    cli.printer.document("gc/submitted/v1", value, () => "");
    return;
  }
  cli.printer.warn(`${why}\n  The task ${id} waits in the outbox; the next gc command sends it, or: gc submit --flush`);
}

/** The content of a file as input that travels with the task. */
export function inlineInput(path: string): Stdin {
  try {
    const bytes = path === "-" ? fs.readFileSync(0) : fs.readFileSync(path);
    return bytes.byteLength === 0 ? { kind: "none" } : { kind: "inline", base64: bytes.toString("base64") };
  } catch (cause) {
    throw fileError("read", path, cause);
  }
}
