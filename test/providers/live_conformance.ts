/**
 * What must hold for every scheduler while blocks live, as one function: a provider and its scheduler, here a fake one,
 * understand each other from the first submission to the last word, whatever befalls the answers on their way. Jobs run
 * as processes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockRequest } from "../../providers/block_request.ts";
import { detectionQuestions, readDetection } from "../../providers/detect.ts";
import type { BlockRef, Command, Sighting, SubmitOutcome } from "../../providers/outcome.ts";
import { type Evidence, openProvider, type Provider } from "../../providers/provider.ts";
import { queueQuestions } from "../../providers/queues.ts";
import { schedulers } from "../../providers/schedulers.ts";
import { until } from "../e2e/until.ts";
import { FakeCluster, type FakeName, type FakeOptions } from "../fakes/fake_cluster.ts";
import type { Fault } from "../fakes/faults.ts";

/** Waits for a file, and then ends with this exit code. */
const untilTold = (code: number) => `while ! test -e "$GC_BLOCK_DIR/go"; do sleep 0.05; done; exit ${code}`;
const limit_ms = 20_000;

/** One cluster with a provider that speaks to it. */
class Site {
  readonly fake: FakeCluster;
  readonly provider: Provider;
  readonly dir = mkdtempSync(join(tmpdir(), "gc-live-"));
  private blocks = 0;

  constructor(name: FakeName, options: FakeOptions) {
    this.fake = new FakeCluster(name, this.dir, options);
    this.provider = openProvider(schedulers[name], { commands: this.fake.commands });
  }

  async close(): Promise<void> {
    await this.fake.end();
    rmSync(this.dir, { recursive: true, force: true });
  }

  ask = (command: Command) => this.fake.ask(command);
  dirOf = (name: string) => join(this.dir, name);

  /** A new block whose nodes run this line of shell. */
  submit(script: string, changes: Partial<BlockRequest> = {}): { name: string; outcome: SubmitOutcome } {
    this.blocks += 1;
    const name = `gc${String(this.blocks).padStart(12, "0")}`;
    const dir = this.dirOf(name);
    mkdirSync(dir);
    const { files, submit } = this.provider.render({
      name,
      block_dir: dir,
      stdout_path: join(dir, "stdout"),
      stderr_path: join(dir, "stderr"),
      nodes: 1,
      walltime_s: 600,
      launcher: { type: "single" },
      worker: ["/bin/sh", "-c", `GC_BLOCK_DIR='${dir}'; ${script}`],
      ...changes,
    });
    for (const { path, text, mode } of files) {
      writeFileSync(path, text);
      chmodSync(path, mode);
    }
    return { name, outcome: this.provider.readSubmit(this.ask(submit)) };
  }

  /** A block that is accepted. */
  accepted(script: string, changes: Partial<BlockRequest> = {}): Required<BlockRef> {
    const { name, outcome } = this.submit(script, changes);
    if (outcome.is !== "accepted") throw new Error(`It was ${outcome.is}: ${outcome.text}`);
    return { id: outcome.id, name };
  }

  tell = ({ name }: Required<BlockRef>) => writeFileSync(join(this.dirOf(name), "go"), "");

  look(...refs: readonly BlockRef[]): Sighting[] {
    const sights = this.provider.readObserve(refs, this.provider.observe(refs).map(this.ask));
    return refs.map(({ id }) => sights.get(id) ?? { seen: "uncovered", why: "it is not among the sightings" });
  }

  /** What is known of it, from the queue, the history, and what it left. */
  verdict(ref: Required<BlockRef>): Sighting {
    const [sight = { seen: "absent" }] = this.look(ref);
    if (sight.seen !== "absent") return sight;
    const answers = this.provider.resolve([ref]).map(this.ask);
    const left = (file: string) => {
      const path = join(this.dirOf(ref.name), file);
      return existsSync(path) ? readFileSync(path, "utf8") : undefined;
    };
    const [exit_code, log] = [left("exit_code"), left(this.provider.profile.log_name ?? "no log")];
    const evidence: Evidence = {
      ...(exit_code === undefined ? {} : { exit_code }),
      ...(log === undefined ? {} : { log }),
    };
    return this.provider.readResolve([ref], answers, new Map([[ref.id, evidence]])).get(ref.id) ?? sight;
  }

  async outcome(ref: Required<BlockRef>): Promise<string> {
    const over = () => {
      const sight = this.verdict(ref);
      return sight.seen === "seen" && sight.state.phase === "done" ? sight.state.outcome : undefined;
    };
    return until(over, () => `the end of ${ref.id}: ${JSON.stringify(this.verdict(ref))}`, limit_ms, 50);
  }

  async runs(ref: BlockRef): Promise<Sighting> {
    const running = () => this.look(ref).find((sight) => phaseOf(sight) === "running" && this.pidOf(ref) !== undefined);
    return until(running, () => `${ref.id} to run: ${JSON.stringify(this.look(ref))}`, limit_ms, 50);
  }

  order(name: "cancel" | "force_cancel" | "hold" | "release", ...refs: readonly BlockRef[]): string[] {
    const answers = (this.provider.order(name, refs) ?? []).map(this.ask);
    const outcomes = this.provider.readOrder(name, refs, answers);
    return refs.map(({ id }) => outcomes.get(id)?.is ?? "nothing");
  }

  adopt = () => this.provider.readAdopt(this.ask(this.provider.adopt()));
  seqOf = ({ id }: BlockRef) => Number.parseInt(id, 10);
  pidOf = (ref: BlockRef) => this.fake.queue.raw(this.seqOf(ref))?.pid;
}

function phaseOf(sight: Sighting | undefined): string {
  if (sight?.seen !== "seen") return sight?.seen ?? "nothing";
  return sight.state.phase === "done" ? sight.state.outcome : sight.state.phase;
}

const unknownId: { readonly [name in FakeName]: string } = {
  pbspro: "99999.pbshead",
  torque: "99999.head",
  lsf: "99999",
  openlava: "99999",
  cobalt: "99999",
  gridengine: "99999",
};

export function liveConformance(name: FakeName): void {
  describe(`${schedulers[name].title}, at work`, () => {
    livesAndEnds(name);
    waits(name);
    survivesTrouble(name);
  });
}

function livesAndEnds(name: FakeName): void {
  const site = () => here;
  let here: Site;
  beforeAll(() => {
    here = new Site(name, { nodes: 8 });
  });
  afterAll(() => here.close(), 60_000);

  test("its commands are recognized, and taken for no other scheduler's", () => {
    const { fake, provider } = site();
    const questions = detectionQuestions((command) => command in fake.commands);
    const answers = questions.map(({ scheduler, commands }) => {
      const asked = commands.map(({ command, args }) => fake.ask({ argv: [`/usr/bin/${command}`, ...args] }));
      return [scheduler, asked] as const;
    });
    expect(readDetection(new Map(answers)).map(({ scheduler }) => scheduler)).toEqual([name]);
    expect(provider.readProbe(provider.probe().map(site().ask))).toMatchObject({ present: true });
  });

  test("its queues are listed with whether they take blocks, where that is told", () => {
    const { command, args, read } = queueQuestions[name];
    const queues = read(site().fake.ask({ argv: [`/usr/bin/${command}`, ...args] })) ?? [];
    const told = queues.map((queue) => [queue.name, queue.is_open] as const);
    // Grid Engine lists nothing but names.
    const closed = name === "gridengine";
    expect(told).toEqual(site().fake.queue.cluster.queues.map((queue) => [queue.name, queue.open || closed]));
  });

  test("a block is accepted, seen on its node, found by its name, and ends as its worker does", async () => {
    const [well, badly] = [site().accepted(untilTold(0)), site().accepted(untilTold(3))];
    const sight = await site().runs(well);
    await site().runs(badly);
    const { hosts } = site().fake.queue.raw(site().seqOf(well)) ?? {};
    expect(sight).toMatchObject({ nodes: [...(hosts ?? [])] });
    const { covered, blocks } = site().adopt();
    expect(covered).toBe(true);
    expect(blocks).toMatchObject([{ name: well.name }, { name: badly.name }]);
    expect(blocks.map(site().seqOf)).toEqual([well, badly].map(site().seqOf));
    for (const ref of [well, badly]) site().tell(ref);
    expect(await site().outcome(well)).toBe("ok");
    expect(await site().outcome(badly)).toBe("failed");
    expect(site().verdict(badly)).toMatchObject({ exit_code: 3 });
  }, 60_000);

  test("a block that nobody knows is not seen, and hides no other", async () => {
    const ref = site().accepted(untilTold(0));
    await site().runs(ref);
    const stranger = { id: unknownId[name], name: "gcnobodyatall0" };
    const [known, unknown] = site().look(ref, stranger);
    expect(phaseOf(known)).toBe("running");
    expect(unknown?.seen).not.toBe("seen");
    expect(phaseOf(site().look(stranger)[0])).toBe("absent");
    site().tell(ref);
    expect(await site().outcome(ref)).toBe("ok");
  }, 60_000);

  test("a block that is cancelled ends, its processes too, and not well; the second order finds it gone", async () => {
    const ref = site().accepted("exec sleep 600");
    await site().runs(ref);
    const pid = site().pidOf(ref) ?? 0;
    expect(site().order("cancel", ref)).toEqual(["accepted"]);
    expect(["cancelled", "failed"]).toContain(await site().outcome(ref));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(site().order("cancel", ref)).not.toContain("accepted");
  }, 60_000);

  test("seen from inside, a block of two nodes knows its id and both of them", async () => {
    const { profile } = site().provider;
    const dump =
      'env >"$GC_BLOCK_DIR/env"; cat $PBS_NODEFILE $COBALT_NODEFILE $PE_HOSTFILE /dev/null >"$GC_BLOCK_DIR/nodes"';
    const pe = profile.refuses.includes("parallel_environment") ? {} : { parallel_environment: "mpi" };
    const ref = site().accepted(dump, { nodes: 2, ...pe });
    expect(await site().outcome(ref)).toBe("ok");
    const read = (file: string) => readFileSync(join(site().dirOf(ref.name), file), "utf8");
    const env = Object.fromEntries([...read("env").matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
    const inside = profile.inside.describe({ env, hostname: "here", text: () => read("nodes") });
    const job = site().fake.queue.raw(site().seqOf(ref));
    expect(inside).toMatchObject({ nodes: [...(job?.hosts ?? [])] });
    expect(site().seqOf({ id: inside?.id ?? "" })).toBe(site().seqOf(ref));
  }, 60_000);

  test("what cannot be is refused in words, and leaves no job behind", () => {
    const before = site().fake.jobs().length;
    for (const partition of ["nosuch", "closed"]) {
      // Grid Engine lets blocks wait in a queue that is closed.
      if (partition === "closed" && name === "gridengine") continue;
      const { outcome } = site().submit("true", { partition });
      expect(outcome).toMatchObject({ is: "rejected" });
      expect(outcome.is === "rejected" && ["config", "policy"].includes(outcome.class)).toBe(true);
    }
    expect(site().fake.jobs().length).toBe(before);
  });
}

function waits(name: FakeName): void {
  const site = () => here;
  let here: Site;
  beforeAll(() => {
    here = new Site(name, { nodes: 1, history: false });
  });
  afterAll(() => here.close(), 60_000);

  test("a block that waits can be held and let go, and can be taken back before it ran", async () => {
    const first = site().accepted(untilTold(0));
    await site().runs(first);
    const [second, third] = [site().accepted("true"), site().accepted("true")];
    expect(site().look(second, third).map(phaseOf)).toEqual(["pending", "pending"]);
    expect(site().order("hold", second)).toEqual(["accepted"]);
    expect(phaseOf(site().look(second)[0])).toBe("held");
    expect(site().order("release", second)).toEqual(["accepted"]);
    expect(phaseOf(site().look(second)[0])).toBe("pending");
    expect(site().order("cancel", second, third)).toEqual(["accepted", "accepted"]);
    expect(phaseOf(site().verdict(second))).not.toBe("ok");
    expect(site().fake.queue.raw(site().seqOf(second))?.started_ms).toBeUndefined();
    site().tell(first);
    await until(() => site().fake.living().length === 0, "the end of the first", limit_ms, 20);
  }, 60_000);

  test("where nobody remembers a block, it is known from what it left", async () => {
    const ref = site().accepted("exit 7");
    await until(() => site().fake.living().length === 0, "its end", limit_ms, 20);
    expect(site().look(ref).map(phaseOf)).toEqual(["absent"]);
    expect(site().verdict(ref)).toMatchObject({ state: { outcome: "failed" }, exit_code: 7 });
  }, 60_000);
}

function survivesTrouble(name: FakeName): void {
  const site = () => here;
  let here: Site;
  let ref: Required<BlockRef>;
  const { submit, observe, find } = schedulers[name];
  const ended = new Set(["ok", "failed", "timeout", "cancelled", "node_fail", "ended", "oom"]);

  /** Whether the block that runs is believed to run, or nothing is. */
  const believed = (fault: Fault): string => {
    site().fake.spoil(observe.command, fault);
    const [sight] = site().look(ref);
    site().fake.mend();
    return phaseOf(sight);
  };

  beforeAll(async () => {
    here = new Site(name, { nodes: 4 });
    ref = here.accepted("exec sleep 600");
    await here.runs(ref);
  });
  afterAll(() => here.close(), 60_000);

  test("silence, noise and half an answer end no block", () => {
    expect(believed({ is: "hang" })).toBe("uncovered");
    expect(believed({ is: "garbage" })).toBe("uncovered");
    for (let part = 0.02; part < 1; part += 0.02) {
      const seen = believed({ is: "partial", part });
      expect(ended.has(seen) ? `${seen} at ${part}` : "alive").toBe("alive");
    }
    expect(phaseOf(site().look(ref)[0])).toBe("running");
  });

  test("lines of a banner, even with numbers and words in them, hide nothing that matters", () => {
    const lines = ["*** Maintenance on Friday ***", "", "12 jobs DONE, 3 COMPLETED, 0 failed"];
    expect(believed({ is: "banner", lines })).toBe("running");
    site().fake.spoil(observe.command, { is: "banner", lines });
    const stranger = { id: unknownId[name], name: "gcnobodyatall0" };
    expect(site().look(ref, stranger).map(phaseOf)).toEqual(["running", "absent"]);
    site().fake.mend();
    site().fake.spoil(submit.command, { is: "banner", lines });
    const { outcome, name: another } = site().submit("true");
    site().fake.mend();
    expect(outcome.is).toBe("accepted");
    const job = site()
      .fake.jobs()
      .find((one) => one.name === another);
    expect(outcome.is === "accepted" && site().seqOf(outcome)).toBe(job?.seq ?? -1);
  });

  test("an id that is printed with another end is the same block", () => {
    const suffixes: { readonly [scheduler: string]: string } = { pbspro: ".pbshead", torque: ".head" };
    const of = suffixes[name];
    if (of === undefined) return expect(schedulers[name].keyOf(ref.id)).toBe(ref.id);
    expect(believed({ is: "suffix", of: `${of}`, instead: `${of}.site.org` })).toBe("running");
  });

  test("a submission that says nothing is unclear, and found by its name exactly once", async () => {
    for (const fault of [{ is: "hang" }, { is: "garbage" }] as const) {
      site().fake.spoil(submit.command, fault);
      const { outcome, name: lost } = site().submit("exec sleep 600");
      site().fake.mend();
      expect(outcome.is).toBe("ambiguous");
      const { covered, blocks } = site().adopt();
      expect(covered).toBe(true);
      const found = blocks.filter((block) => block.name === lost);
      expect(found.length).toBe(1);
      await site().runs({ id: found[0]?.id ?? "", name: lost });
      expect(site().order("cancel", { id: found[0]?.id ?? "", name: lost })).toEqual(["accepted"]);
    }
  }, 60_000);

  test("a list of names that is cut, or full of noise, covers nothing that it lost", () => {
    for (const fault of [{ is: "hang" }, { is: "garbage" }] as const) {
      site().fake.spoil(find.command, fault);
      const { covered, blocks } = site().adopt();
      site().fake.mend();
      expect(blocks).toEqual([]);
      expect(covered).toBe(false);
    }
    site().fake.spoil(find.command, { is: "refuse", code: 1, stderr: "cannot connect to server\n" });
    expect(site().adopt().covered).toBe(false);
    site().fake.mend();
  });

  test("a block that the scheduler forgot is not taken for one that ended", () => {
    site().fake.forget(site().seqOf(ref));
    expect(["absent", "uncovered"]).toContain(phaseOf(site().look(ref)[0]));
    expect(ended.has(phaseOf(site().verdict(ref)))).toBe(false);
    expect(
      site()
        .adopt()
        .blocks.map((block) => block.name),
    ).not.toContain(ref.name);
  });
}
