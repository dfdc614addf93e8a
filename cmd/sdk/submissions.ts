/**
 * Batches that an SDK hands over. Each is in the outbox before anything else happens, under the key that the SDK made
 * for it: when this process dies before it could answer, its successor finds the batch by that key instead of
 * submitting it again. The answer goes out when the relay has stored the batch, or, when the relay stays away, once
 * the outbox on this machine has it for certain.
 */
import { GcError, messageOf } from "../../core/errors.ts";
import type { SdkSubmit } from "../../core/schema/sdk_message.ts";
import { type TaskSpec, taskKinds } from "../../core/schema/task.ts";
import type { Fate } from "../../core/submit/client.ts";
import { newUuid } from "../../core/submit/composer.ts";
import type { FoundEndpoint } from "../../core/submit/endpoint_lookup.ts";
import type { Kept } from "../../core/submit/outbox.ts";
import { type EnvelopeId, type GroupId, type TaskId, taskId } from "../../core/task/id.ts";
import { rankFault } from "../../core/task/ranks.ts";
import { batchFacts } from "../task_batch.ts";
import type { TaskDesk } from "../task_desk.ts";
import type { Following } from "./following.ts";
import type { LineOut } from "./lines.ts";

/** Characters of batches without an answer; beyond that nothing more is read from the SDK. */
const unansweredCharsMax = 32 * 1024 * 1024;
/** The default endpoint is looked after this often at most. */
const lookEvery_ms = 10_000;

interface Unanswered {
  readonly ref: number;
  readonly group: GroupId;
  readonly ids: readonly TaskId[];
  readonly size: number;
}

export class Submissions {
  private readonly desk: TaskDesk;
  private readonly out: LineOut;
  private readonly following: Following;
  private readonly unanswered = new Map<EnvelopeId, Unanswered>();
  private readonly endpoints = new Map<string, Promise<FoundEndpoint>>();
  private readonly looked = new Map<string, number>();
  private unansweredChars = 0;
  private away: GcError | undefined;
  private stopWaiting = (): void => {};
  private wake: (() => void)[] = [];

  constructor(desk: TaskDesk, out: LineOut, following: Following) {
    this.desk = desk;
    this.out = out;
    this.following = following;
    following.beforeResult = (id) => this.answer(id, "relay");
    desk.client.onUp.add(() => {
      this.away = undefined;
      this.stopWaiting();
    });
    desk.client.onTrouble.add((reason) => this.trouble(reason));
    this.waitForRelay();
  }

  /** Takes a batch. Its answer comes later, through `out`. @throws GcError what is wrong with it. */
  async take(request: SdkSubmit, size: number): Promise<void> {
    const endpoint = await this.endpoint(request.endpoint);
    const { client } = this.desk;
    client.prepare(endpoint.record);
    const wish = { ...(request.group === undefined ? {} : { group: request.group }) };
    const facts = batchFacts(this.desk, endpoint, wish);
    const group = facts.group ?? newUuid<GroupId>(this.desk.cli.host.random);
    const earlier = request.again === true ? this.byKey(group, request.key) : undefined;
    if (earlier !== undefined) return this.answerEarlier(request.ref, group, earlier);
    const { base, key } = request;
    const tasks = request.tasks.map((task, index) => checked(base, task, index));
    const priority = request.priority === undefined ? {} : { priority: request.priority };
    // Nobody is told of it before the relay has it, or the outbox for certain: sending need not wait for our disk.
    const head = client.submit(
      endpoint.record,
      { base, tasks, ...facts, group, key, ...priority },
      (fate) => this.settle(head.id as EnvelopeId, endpoint, fate),
      false,
    );
    const id = head.id as EnvelopeId;
    const ids = tasks.map((_, index) => taskId(id, index));
    this.unanswered.set(id, { ref: request.ref, group, ids, size });
    this.unansweredChars += size;
    this.following.want(group, ids);
    if (this.away !== undefined) this.answer(id, "outbox", this.away);
  }

  /** The endpoint that an SDK means; asked for once per name. */
  endpoint(said: string | undefined): Promise<FoundEndpoint> {
    const known = this.endpoints.get(said ?? "");
    if (known !== undefined) return known;
    const found = this.desk.endpoint(said);
    this.endpoints.set(said ?? "", found);
    found.catch(() => this.endpoints.delete(said ?? ""));
    return found;
  }

  /** Resolves when more may be read from the SDK. */
  async room(): Promise<void> {
    while (this.unansweredChars > unansweredCharsMax) await this.changed();
  }

  /** Resolves when every batch has its answer. */
  async allAnswered(): Promise<void> {
    while (this.unanswered.size > 0) await this.changed();
  }

  private settle(id: EnvelopeId, endpoint: FoundEndpoint, fate: Fate): void {
    if (fate === "stored" || fate === "accepted") {
      this.answer(id, "relay");
      if (fate === "stored") this.lookAfter(endpoint);
      return;
    }
    if (fate === "withdrawn") return;
    const open = this.close(id);
    if (open === undefined) return this.following.fail(this.idsOf(id), fate);
    const { kind, code, message } = fate;
    this.out.send({ t: "error", ref: open.ref, kind, code, message });
  }

  private answer(id: EnvelopeId, where: "relay" | "outbox", why?: GcError): void {
    const open = this.unanswered.get(id);
    if (open === undefined) return;
    if (where === "outbox") this.desk.client.promise(id);
    this.close(id);
    const { ref, group, ids } = open;
    this.out.send({ t: "submitted", ref, group, ids, where, ...(why === undefined ? {} : { reason: why.message }) });
  }

  private close(id: EnvelopeId): Unanswered | undefined {
    const open = this.unanswered.get(id);
    if (open === undefined) return undefined;
    this.unanswered.delete(id);
    this.unansweredChars -= open.size;
    const waking = this.wake;
    this.wake = [];
    for (const wake of waking) wake();
    return open;
  }

  /** A batch that an earlier process took without having answered. */
  private byKey(group: GroupId, key: string): Kept | undefined {
    return this.desk.outbox.list(Number.POSITIVE_INFINITY, group).find(({ head }) => head.key === key);
  }

  private answerEarlier(ref: number, group: GroupId, { head, where, refused }: Kept): void {
    if (refused !== undefined) {
      const { kind, code, message } = refused;
      this.out.send({ t: "error", ref, kind, code, message });
      return;
    }
    this.desk.client.know(head);
    const id = head.id as EnvelopeId;
    const ids = Array.from({ length: head.count }, (_, index) => taskId(id, index));
    if (where === "outbox") this.desk.client.promise(id);
    this.out.send({ t: "submitted", ref, group, ids, where: where === "outbox" ? "outbox" : "relay" });
    this.following.wantAgain(group, ids);
  }

  private idsOf(id: EnvelopeId): TaskId[] {
    const count = this.desk.outbox.head(id)?.head.count ?? 0;
    return Array.from({ length: count }, (_, index) => taskId(id, index));
  }

  private trouble(reason: GcError): void {
    const { client } = this.desk;
    if (client.up && (reason.retry_after_ms ?? 0) > this.desk.patience_ms) return this.queueHere(reason, false);
    if (!client.up && reason.kind !== "unavailable") return this.queueHere(reason, true);
    if (!client.up && this.away === undefined) this.waitForRelay();
  }

  private waitForRelay(): void {
    this.stopWaiting();
    const { desk } = this;
    this.stopWaiting = desk.cli.host.clock.after(desk.patience_ms, () => {
      if (!desk.client.up) this.queueHere(desk.away(), true);
    });
  }

  /** What has no answer yet waits in the outbox; `stays`: so does what comes, until the relay is back. */
  private queueHere(reason: GcError, stays: boolean): void {
    if (stays && this.away === undefined) this.out.send({ t: "notice", text: reason.message });
    if (stays) this.away = reason;
    for (const id of [...this.unanswered.keys()]) this.answer(id, "outbox", reason);
  }

  /** Starts the default endpoint when it does not run; of another one that is away the SDK is told once. */
  private lookAfter(endpoint: FoundEndpoint): void {
    const { desk } = this;
    const now_ms = desk.cli.host.clock.monotonic();
    const { id } = endpoint.record;
    if (now_ms - (this.looked.get(id) ?? Number.NEGATIVE_INFINITY) < lookEvery_ms) return;
    const first = !this.looked.has(id);
    this.looked.set(id, now_ms);
    desk.seeOnline(endpoint).then(
      (online) => {
        if (online || !first) return;
        this.out.send({ t: "notice", text: `The endpoint "${endpoint.name}" is not connected; its tasks wait for it` });
      },
      (error) => this.out.send({ t: "notice", text: messageOf(error) }),
    );
  }

  private changed(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve));
  }
}

/** One task of a batch. @throws GcError data `task.no_command`. */
function checked(base: TaskSpec, task: TaskSpec, index: number): TaskSpec {
  const whole = { ...base, ...task };
  const wrong = (what: string): GcError => new GcError("data", "task.invalid", `Task ${index} ${what}`);
  if (taskKinds.filter((kind) => whole[kind] !== undefined).length !== 1) {
    throw wrong('needs one of "argv", "script", "python" and "python_script"');
  }
  const fault = rankFault(whole.resources ?? {});
  if (fault !== undefined) throw wrong(`cannot be: ${fault}`);
  if (whole.stdin?.kind === "stream") throw wrong("cannot get its input as a stream, because nobody is attached");
  return task;
}
