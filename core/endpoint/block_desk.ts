/**
 * Dealings with the scheduler: the acting side of `blocks.ts`. Writes the folder of a block, runs the scheduler's
 * commands and hands their answers, read by the provider, to the deciding half. Never decides and never repeats a
 * submission.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { BlockRequest } from "../../providers/block_request.ts";
import type { Answer, BlockRef, Command, Sighting, SubmitOutcome } from "../../providers/outcome.ts";
import type { Evidence, Provider } from "../../providers/provider.ts";
import { messageOf } from "../errors.ts";
import { runCommand } from "../host/command.ts";
import { makePrivateDir, readTextIfThere, removeTree, writeDurable, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { selfArgv } from "../host/self.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import type { EndpointEvent } from "./decision.ts";
import type { BlockRow } from "./memory.ts";

export interface BlockDeskSettings {
  readonly provider: Provider;
  /** Folder with one folder per block. */
  readonly dir: string;
  /** What every block is asked for, but for its name and places. */
  readonly request: Omit<BlockRequest, "name" | "block_dir" | "stdout_path" | "stderr_path" | "worker">;
  /** What every worker of a block is started with, but for ids and secret. */
  readonly worker: Omit<WorkerFile, "v" | "id" | "secret">;
}

type SeenEvent = Extract<EndpointEvent, { t: "blocks_seen" }>;

/** Last bytes of a block's standard error that people are shown. */
const lastWordsBytes = 1000;

export class BlockDesk {
  private readonly settings: BlockDeskSettings;
  private readonly host: Host;
  private readonly push: (event: EndpointEvent) => void;
  private stopPoll: () => void = () => {};
  private closed = false;

  constructor(settings: BlockDeskSettings, host: Host, push: (event: EndpointEvent) => void) {
    this.settings = settings;
    this.host = host;
    this.push = push;
  }

  /** Folders of blocks that the journal does not know are leftovers. */
  sweep(known: Iterable<BlockRow>): void {
    makePrivateDir(this.settings.dir);
    const keep = new Set([...known].map(({ name }) => name));
    for (const name of fs.readdirSync(this.settings.dir))
      if (!keep.has(name)) removeTree(join(this.settings.dir, name));
  }

  dirOf(name: string): string {
    return join(this.settings.dir, name);
  }

  /** Asks for a block that is in the journal. Answered by `block_sent`. */
  async submit(block: string, name: string): Promise<void> {
    let outcome: SubmitOutcome;
    try {
      const { files, submit } = this.write(block, name);
      for (const { path, text, mode } of files) writeDurable(path, text, mode);
      outcome = this.settings.provider.readSubmit(await this.run(submit));
    } catch (error) {
      outcome = { is: "rejected", class: "config", text: messageOf(error) };
    }
    this.host.log.info("block.sent", {
      block: name,
      is: outcome.is,
      ...("text" in outcome ? { text: outcome.text } : {}),
    });
    if (!this.closed) this.push({ t: "block_sent", block, outcome, now_ms: this.host.clock.now() });
  }

  /** Looks at the scheduler after `delay_ms`. Answered by `blocks_seen`. */
  poll(delay_ms: number, blocks: () => ReadonlyMap<string, BlockRow>): void {
    this.stopPoll();
    this.stopPoll = this.host.clock.after(delay_ms, () => void this.look([...blocks()]));
  }

  /** Takes a block back. What became of the order shows at the next look. */
  async cancel(row: BlockRow): Promise<void> {
    if (row.job === undefined) return;
    const commands = this.settings.provider.order("cancel", [{ id: row.job, name: row.name }]) ?? [];
    for (const command of commands) {
      const { code, stderr } = await this.run(command);
      this.host.log.info("block.cancelled", {
        block: row.name,
        job: row.job,
        code: code ?? -1,
        stderr: stderr.slice(0, 200),
      });
    }
  }

  remove(name: string): void {
    removeTree(this.dirOf(name));
  }

  close(): void {
    this.closed = true;
    this.stopPoll();
  }

  private write(block: string, name: string): ReturnType<Provider["render"]> {
    const dir = this.dirOf(name);
    makePrivateDir(dir);
    const secret = Buffer.from(this.host.random.bytes(32)).toString("base64url");
    const file: WorkerFile = { ...this.settings.worker, v: 1, id: block, secret };
    writeJson(join(dir, "block.json"), file);
    return this.settings.provider.render({
      ...this.settings.request,
      name,
      block_dir: dir,
      stdout_path: join(dir, "stdout"),
      stderr_path: join(dir, "stderr"),
      worker: [...selfArgv(), "__worker", "--block", dir],
    });
  }

  private async look(blocks: readonly [string, BlockRow][]): Promise<void> {
    const { provider } = this.settings;
    const event: SeenEvent = { t: "blocks_seen", sights: [], found: [], names_covered: false, now_ms: 0 };
    try {
      const refs = new Map<string, BlockRef>();
      for (const [block, { job, name }] of blocks) if (job !== undefined) refs.set(block, { id: job, name });
      const sights = await this.sights([...refs.values()]);
      for (const [block, ref] of refs) {
        const sight = sights.get(ref.id) ?? { seen: "uncovered", why: "nothing was asked" };
        const last_words = this.lastWords(ref.name ?? "");
        (event.sights as SeenEvent["sights"][number][]).push({ block, sight, last_words });
      }
      if (blocks.some(([, { job }]) => job === undefined)) {
        const { covered, blocks: named } = provider.readAdopt(await this.run(provider.adopt()));
        event.names_covered = covered;
        event.found = blocks.flatMap(([block, { name, job }]) => {
          const there = job === undefined ? named.find((one) => one.name === name) : undefined;
          return there === undefined ? [] : [{ block, job: there.id }];
        });
      }
    } catch (error) {
      this.host.log.error("blocks.not_seen", { reason: messageOf(error) });
    }
    if (!this.closed) this.push({ ...event, now_ms: this.host.clock.now() });
  }

  /** One question for all; those that are not listed any more are looked up in the history. */
  private async sights(refs: readonly BlockRef[]): Promise<Map<string, Sighting>> {
    const { provider } = this.settings;
    if (refs.length === 0) return new Map();
    const seen = new Map(provider.readObserve(refs, await this.runAll(provider.observe(refs))));
    const absent = refs.filter(({ id }) => seen.get(id)?.seen === "absent");
    if (absent.length === 0) return seen;
    const evidence = new Map<string, Evidence>();
    for (const { id, name } of absent) {
      const dir = this.dirOf(name ?? "");
      const exit_code = readTextIfThere(join(dir, "exit_code"));
      const { log_name } = provider.profile;
      const log = log_name === undefined ? undefined : readTextIfThere(join(dir, log_name));
      evidence.set(id, { ...(exit_code === undefined ? {} : { exit_code }), ...(log === undefined ? {} : { log }) });
    }
    const answers = await this.runAll(provider.resolve(absent));
    for (const [id, sight] of provider.readResolve(absent, answers, evidence))
      if (sight.seen === "seen") seen.set(id, sight);
    return seen;
  }

  private async runAll(commands: readonly Command[]): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const command of commands) answers.push(await this.run(command));
    return answers;
  }

  private async run(command: Command): Promise<Answer> {
    const env: { [name: string]: string | undefined } = { ...this.host.env, ...command.env };
    for (const name of Object.keys(env)) if (command.unset.some((pattern) => matches(pattern, name))) delete env[name];
    const { argv, stdin, timeout_s } = command;
    const options = { env, timeout_ms: timeout_s * 1000, ...(stdin === undefined ? {} : { stdin }) };
    const { found, code, stdout, stderr, timed_out } = await runCommand(argv, options);
    return { code: found && !timed_out ? code : undefined, stdout, stderr };
  }

  private lastWords(name: string): string {
    return endOf(join(this.dirOf(name), "stderr"), lastWordsBytes).trim();
  }
}

/** The last `bytes` of a text file, which may be large; nothing when it cannot be read. */
function endOf(path: string, bytes: number): string {
  let file: number | undefined;
  try {
    file = fs.openSync(path, "r");
    const { size } = fs.fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    return buffer.toString("utf8", 0, fs.readSync(file, buffer, 0, buffer.length, size - buffer.length));
  } catch {
    return "";
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** A name, or its beginning and `*`. */
function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
