/**
 * Tells somebody who waits at a terminal why their task has not started: on standard error, once, and again when the
 * reason changes. Where nobody watches only what will not pass by itself is told: an engine that is paused.
 */
import type { TaskStanding } from "../core/schema/live_message.ts";
import type { FoundEndpoint } from "../core/submit/endpoint_lookup.ts";
import type { TaskId } from "../core/task/id.ts";
import type { TaskDesk } from "./task_desk.ts";
import { visible } from "./visible.ts";

/** A task that has not started for so long is asked about, and then again as often. */
const askEvery_ms = 2000;
const answerWithin_ms = 2000;

/** Asks until the task has started, or until the returned function is called. */
export function tellWhyItWaits(desk: TaskDesk, endpoint: FoundEndpoint, tid: TaskId, is_watched: boolean): () => void {
  const { clock } = desk.cli.host;
  let stop = (): void => {};
  let ended = false;
  let told = "";
  const look = async (): Promise<void> => {
    const answer = await desk.client.ask(endpoint.record, { t: "ask_tasks", tids: [tid] }, answerWithin_ms);
    if (ended) return;
    const standing = typeof answer === "object" && answer.t === "answer_tasks" ? answer.tasks[0] : undefined;
    if (standing?.phase === "running" || standing?.phase === "finished") return;
    if (standing?.phase === "waiting" && (is_watched || standing.stalled === true) && standing.reason !== told) {
      told = standing.reason;
      desk.cli.printer.note(sentence(standing, endpoint.name));
    }
    stop = clock.after(askEvery_ms, () => void look());
  };
  stop = clock.after(askEvery_ms, () => void look());
  return () => {
    ended = true;
    stop();
  };
}

/** What it waits for, with the command that helps where only a command does. */
function sentence({ reason, hint, stalled }: TaskStanding, name: string): string {
  const next = stalled === true && hint !== undefined ? `; when that is mended: ${hint.replace("NAME", name)}` : "";
  return `the task waits: ${visible(reason)}${visible(next)}`;
}
