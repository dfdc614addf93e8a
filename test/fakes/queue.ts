/**
 * The queue behind every fake scheduler: jobs, the nodes they wait for, and what is told to them, in one SQLite file
 * that commands and keepers share. It knows no scheduler: how a job is asked for and spoken of is the business of the
 * speakers. A node takes one job at a time.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Fault } from "./faults.ts";

/** How a cluster is set up. */
export interface Cluster {
  readonly scheduler: string;
  readonly nodes: readonly string[];
  readonly queues: readonly { readonly name: string; readonly open: boolean }[];
  /** Whether jobs that are over can still be asked for. */
  readonly history: boolean;
}

/** What is asked for. */
export interface Request {
  readonly name: string;
  readonly owner: string;
  readonly queue: string;
  readonly nodes: number;
  readonly cores: number;
  readonly walltime_s: number;
  /** What runs. */
  readonly script: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly cwd: string;
  readonly held: boolean;
  /** What it finds around it. */
  readonly env: { readonly [name: string]: string };
  /** The words of the submission. */
  readonly words: string;
  /** For what only one scheduler has. */
  readonly extra: { readonly [key: string]: string };
}

/** How a job ended. `signal` is 0 unless its script was killed by one. */
export interface End {
  readonly code: number;
  readonly signal: number;
  readonly cause: "own" | "deleted" | "walltime";
  readonly at_ms: number;
}

export interface Job extends Request {
  readonly seq: number;
  phase: "pending" | "held" | "running" | "over";
  hosts: readonly string[];
  submitted_ms: number;
  started_ms?: number;
  end?: End;
  told?: "delete" | "kill";
  /** The process that looks after it. */
  keeper?: number;
  /** The leader of its processes. */
  pid?: number;
  /** The scheduler knows nothing of it any more, although it may run. */
  forgotten?: boolean;
}

export class Queue {
  readonly dir: string;
  readonly cluster: Cluster;
  private readonly db: Database;

  static create(dir: string, cluster: Cluster, first: number): void {
    const db = new Database(join(dir, "queue.db"), { create: true });
    db.run("PRAGMA journal_mode = WAL");
    db.run("CREATE TABLE job (seq INTEGER PRIMARY KEY, text TEXT NOT NULL)");
    db.run("CREATE TABLE fault (command TEXT NOT NULL, text TEXT NOT NULL)");
    db.run("CREATE TABLE said (command TEXT NOT NULL, words TEXT NOT NULL)");
    db.run("CREATE TABLE cluster (text TEXT NOT NULL, next INTEGER NOT NULL)");
    db.run("INSERT INTO cluster VALUES (?, ?)", [JSON.stringify(cluster), first]);
    db.close();
  }

  constructor(dir: string) {
    this.dir = dir;
    this.db = new Database(join(dir, "queue.db"));
    this.db.run("PRAGMA busy_timeout = 20000");
    const row = this.db.query<{ text: string }, []>("SELECT text FROM cluster").get();
    this.cluster = JSON.parse(row?.text ?? "{}") as Cluster;
  }

  close(): void {
    this.db.close();
  }

  /** A new job; it starts at once when there are nodes. */
  submit(request: Request): Job {
    const job = this.db
      .transaction(() => {
        const seq = this.db.query<{ next: number }, []>(
          "UPDATE cluster SET next = next + 1 RETURNING next - 1 AS next",
        );
        const phase = request.held ? "held" : "pending";
        const made: Job = { ...request, seq: seq.get()?.next ?? 0, phase, hosts: [], submitted_ms: Date.now() };
        this.db.run("INSERT INTO job VALUES (?, ?)", [made.seq, JSON.stringify(made)]);
        return made;
      })
      .immediate();
    this.dispatch();
    return job;
  }

  /** All jobs, the oldest first. */
  all(): Job[] {
    const rows = this.db.query<{ text: string }, []>("SELECT text FROM job ORDER BY seq").all();
    return rows.map(({ text }) => JSON.parse(text) as Job);
  }

  /** Those that the scheduler knows and that are not over. */
  living(): Job[] {
    return this.all().filter(({ phase, forgotten }) => phase !== "over" && forgotten !== true);
  }

  /** A job that the scheduler knows. */
  find(seq: number): Job | undefined {
    const job = this.raw(seq);
    return job?.forgotten === true ? undefined : job;
  }

  /** A job, whether the scheduler knows of it or not. */
  raw(seq: number): Job | undefined {
    const row = this.db.query<{ text: string }, [number]>("SELECT text FROM job WHERE seq = ?").get(seq);
    return row === null ? undefined : (JSON.parse(row.text) as Job);
  }

  change(seq: number, edit: (job: Job) => void): Job {
    return this.db
      .transaction(() => {
        const row = this.db.query<{ text: string }, [number]>("SELECT text FROM job WHERE seq = ?").get(seq);
        const job = JSON.parse(row?.text ?? "") as Job;
        edit(job);
        this.db.run("UPDATE job SET text = ? WHERE seq = ?", [JSON.stringify(job), seq]);
        return job;
      })
      .immediate();
  }

  /** Ends a job: at once when it waits, by its keeper when it runs. */
  remove(seq: number, how: "delete" | "kill"): void {
    const job = this.change(seq, (it) => {
      if (it.phase === "over" || (it.told === "kill" && how === "delete")) return;
      it.told = how;
      if (it.phase === "running") return;
      it.phase = "over";
      it.end = { code: 0, signal: 0, cause: "deleted", at_ms: Date.now() };
    });
    if (job.phase !== "running" || job.keeper === undefined) return;
    try {
      process.kill(job.keeper, "SIGUSR2");
    } catch {
      // It ended this very moment.
    }
  }

  hold(seq: number, held: boolean): void {
    this.change(seq, (job) => {
      if (job.phase === "pending" || job.phase === "held") job.phase = held ? "held" : "pending";
    });
    this.dispatch();
  }

  /** A job is over; its nodes go to others. */
  ended(seq: number, end: End): void {
    this.change(seq, (job) => {
      job.phase = "over";
      job.end = end;
    });
    this.dispatch();
  }

  /** Starts what fits, first come first served. */
  dispatch(): void {
    const begun = this.db
      .transaction(() => {
        const jobs = this.all();
        const busy = new Set(jobs.filter(({ phase }) => phase === "running").flatMap(({ hosts }) => hosts));
        const free = this.cluster.nodes.filter((node) => !busy.has(node));
        return jobs.filter((job) => {
          if (job.phase !== "pending" || job.nodes > free.length) return false;
          this.change(job.seq, (it) => {
            it.phase = "running";
            it.hosts = free.splice(0, job.nodes);
            it.started_ms = Date.now();
          });
          return true;
        });
      })
      .immediate();
    for (const { seq } of begun) this.keep(seq);
  }

  /** From now on, `command` goes wrong in this way. */
  spoil(command: string, fault: Fault): void {
    this.db.run("INSERT INTO fault VALUES (?, ?)", [command, JSON.stringify(fault)]);
  }

  /** All goes well again. */
  mend(): void {
    this.db.run("DELETE FROM fault");
  }

  /** What is wrong with `command` now. */
  faultOf(command: string): Fault | undefined {
    const row = this.db.query<{ text: string }, [string]>("SELECT text FROM fault WHERE command = ?").get(command);
    return row === null ? undefined : (JSON.parse(row.text) as Fault);
  }

  /** Writes down that a command was run. */
  note(command: string, args: readonly string[]): void {
    this.db.run("INSERT INTO said VALUES (?, ?)", [command, args.join(" ")]);
  }

  /** The arguments of each run of a command. */
  runs(command: string): string[] {
    const rows = this.db.query<{ words: string }, [string]>("SELECT words FROM said WHERE command = ?").all(command);
    return rows.map(({ words }) => words);
  }

  private keep(seq: number): void {
    const argv = [process.execPath, join(import.meta.dir, "keeper.ts"), this.dir, String(seq)];
    Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "ignore", detached: true, cwd: "/" }).unref();
  }
}
