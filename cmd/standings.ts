/** What endpoints say of tasks that they hold, asked live; nothing for those that are not connected. */
import type { KeyRecord } from "../core/schema/envelope.ts";
import type { TaskStanding } from "../core/schema/live_message.ts";
import type { TaskDesk } from "./task_desk.ts";

/** An endpoint that does not answer within this time has nothing to say. */
const wait_ms = 1500;
/** Tasks in one question. */
const askedMax = 1000;

/** Standings by task id. Each endpoint is asked once, all of them at the same time. */
export async function standings(
  desk: TaskDesk,
  asked: readonly { record: KeyRecord; tid: string }[],
): Promise<Map<string, TaskStanding>> {
  const byEndpoint = new Map<string, { record: KeyRecord; tids: string[] }>();
  for (const { record, tid } of asked) {
    const one = byEndpoint.get(record.id);
    if (one === undefined) byEndpoint.set(record.id, { record, tids: [tid] });
    else if (one.tids.length < askedMax) one.tids.push(tid);
  }
  const known = new Map<string, TaskStanding>();
  const ask = async ({ record, tids }: { record: KeyRecord; tids: string[] }): Promise<void> => {
    desk.client.prepare(record);
    const answer = await desk.client.ask(record, { t: "ask_tasks", tids }, wait_ms);
    if (typeof answer === "object" && answer.t === "answer_tasks")
      for (const each of answer.tasks) known.set(each.tid, each);
  };
  await Promise.all([...byEndpoint.values()].map(ask));
  return known;
}
