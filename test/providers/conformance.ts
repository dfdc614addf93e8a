/**
 * What must hold for every scheduler, as one function: whatever is asked for renders to a script that bash reads and
 * whose values stay single words; whatever is done to an answer, no block is believed to have ended that had not; and
 * nothing that reads ever throws.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GcError } from "../../core/errors.ts";
import { launcherTypes } from "../../core/schema/launcher.ts";
import type { BlockRequest } from "../../providers/block_request.ts";
import type { Answer } from "../../providers/outcome.ts";
import type { Profile } from "../../providers/profile.ts";
import { type OrderName, openProvider } from "../../providers/provider.ts";
import type { Capture } from "./captures.ts";
import { plain } from "./golden_cases.ts";
import type { Reading } from "./reading.ts";
import { directivesSeen } from "./reading_rules.ts";
import { siteOf } from "./sites.ts";

/** Words for a block that is over. */
const ends = new Set([
  "ok",
  "failed",
  "timeout",
  "cancelled",
  "node_fail",
  "preempted",
  "oom",
  "launch_failed",
  "ended",
]);

export interface Subject {
  readonly profile: Profile;
  /** Real answers, or samples, with the meaning that a whole one has. */
  readonly captures: readonly Capture[];
  readonly read: (capture: Capture) => Reading | undefined;
}

export function conformance({ profile, captures, read }: Subject): void {
  describe(profile.title, () => {
    rendersSafely(profile);
    survivesFaults(captures, read);
    readsAnything(profile);
    answersInParts(profile);
  });
}

/** Any text that might be somebody's value. */
const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("", "a b", "a\nb", "a\n#SBATCH --x", "$(id)", "`id`", "'", '"', "\\", "-x", "#", "a;b", "a\rb", "\0"),
  fc.stringMatching(/^[A-Za-z0-9_.@:+=,-]{1,20}$/),
);

const requests: fc.Arbitrary<Partial<BlockRequest>> = fc.record(
  {
    nodes: fc.integer({ min: 1, max: 50 }),
    walltime_s: fc.integer({ min: 1, max: 200_000 }),
    cores_per_node: fc.integer({ min: 1, max: 256 }),
    memory_mib_per_node: fc.integer({ min: 1, max: 1_000_000 }),
    gpus_per_node: fc.integer({ min: 0, max: 8 }),
    exclusive: fc.boolean(),
    account: oddText,
    project: oddText,
    partition: oddText,
    qos: oddText,
    reservation: oddText,
    constraint: oddText,
    gres: oddText,
    select_options: oddText,
    parallel_environment: oddText,
    name: fc.oneof(fc.constant(plain.name), oddText),
    block_dir: fc.oneof(
      fc.constant(plain.block_dir),
      oddText.map((text) => `/${text}`),
    ),
    stdout_path: fc.oneof(
      fc.constant(plain.stdout_path),
      oddText.map((text) => `/${text}`),
    ),
    scheduler_options: fc.array(oddText, { maxLength: 3 }),
    worker: fc.array(oddText, { minLength: 1, maxLength: 4 }),
    launcher: fc.record(
      { type: fc.constantFrom(...launcherTypes), overrides: oddText, prepend: oddText, bind_cmd: oddText },
      { requiredKeys: ["type"] },
    ),
  },
  { requiredKeys: [] },
);

function rendersSafely(profile: Profile): void {
  const provider = openProvider(profile, siteOf(profile));
  const parallel_environment = profile.refuses.includes("parallel_environment") ? {} : { parallel_environment: "mpi" };
  const base: BlockRequest = { ...plain, ...parallel_environment };

  test("render() refuses a value by its name, or says it as it is", () => {
    let rendered = 0;
    const scripts: string[] = [];
    fc.assert(
      fc.property(requests, (changes) => {
        const few = Object.fromEntries(Object.entries(changes).slice(0, 4));
        let made: ReturnType<typeof provider.render>;
        try {
          made = provider.render({ ...base, ...few });
        } catch (error) {
          if (!(error instanceof GcError)) throw error;
          expect(error.kind).toBe("config");
          expect(error.message).toMatch(/^"[a-z_.]+" /);
          return;
        }
        rendered += 1;
        // Every line with the prefix is one of the directives that we, or the user's options, meant.
        const seen = directivesSeen(made.text, profile.script);
        const lines = made.text
          .split(/[\n\r]/)
          .filter((line) => line.trimStart().startsWith(`${profile.script.prefix} `));
        expect(lines.length).toBe(seen.length);
        const ours = profile.directives({ ...base, ...few });
        for (const directive of ours) expect(seen).toContain(directive);
        expect(seen.every((directive) => directive.startsWith("-"))).toBe(true);
        if (scripts.length < 40) scripts.push(...made.files.map(({ text }) => text));
      }),
      { numRuns: 400 },
    );
    expect(rendered).toBeGreaterThan(20);
    for (const script of scripts) {
      expect(Bun.spawnSync(["bash", "-n"], { stdin: Buffer.from(script) }).stderr.toString()).toBe("");
    }
  });

  test("what a node runs is the worker's command, word for word", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 3 }), (words) => {
        const worker = ["printf", "<%s>", ...words.map((word) => word.replaceAll("\0", ""))];
        const { files } = provider.render({ ...base, worker });
        const node = files.find(({ path }) => path.endsWith("/node.sh"))?.text ?? "";
        const { stdout } = Bun.spawnSync(["bash"], { stdin: Buffer.from(node) });
        expect(stdout.toString()).toBe(
          worker
            .slice(2)
            .map((word) => `<${word}>`)
            .join(""),
        );
      }),
      { numRuns: 15 },
    );
  });

  test("every command is an absolute path with a time limit and a plain locale", () => {
    const refs = [{ id: "1", name: plain.name }];
    const names: OrderName[] = ["cancel", "force_cancel", "hold", "release"];
    const { submit } = provider.render(base);
    const all = [
      ...provider.probe(),
      submit,
      ...provider.observe(refs),
      ...provider.resolve(refs),
      provider.adopt(),
      ...names.flatMap((name) => provider.order(name, refs) ?? []),
    ];
    for (const { argv, env, timeout_s } of all) {
      expect(argv[0]).toStartWith("/usr/bin/");
      expect(profile.commands.map((name) => `/usr/bin/${name}`)).toContain(argv[0] ?? "");
      // A locale of ours in the environment of a block would be one in its tasks.
      const exported = profile.submit.exports_env && argv.join(" ") === submit.argv.join(" ");
      expect(env).toEqual(exported ? {} : { LC_ALL: "C", TZ: "UTC" });
      expect(timeout_s).toBeGreaterThan(0);
    }
  });
}

/** One thing that goes wrong on the way from a scheduler to us. */
const faults: fc.Arbitrary<(answer: Answer) => Answer> = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => onText((text) => text.slice(0, at(text, part)))),
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => onText((text) => text.slice(at(text, part)))),
  fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat({ max: 60 }))
    .map(([part, length]) => onText((text) => text.slice(0, at(text, part)) + text.slice(at(text, part) + length))),
  fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.string({ unit: "binary", maxLength: 8 }))
    .map(([part, odd]) => onText((text) => text.slice(0, at(text, part)) + odd + text.slice(at(text, part)))),
  fc
    .tuple(fc.nat(), fc.constantFrom("*** Maintenance ***", "0", "Warning: slow", "COMPLETED", "DONE", "{}", "\t"))
    .map(([line, banner]) => onLines((lines) => lines.toSpliced(line % (lines.length + 1), 0, banner))),
  fc.nat().map((line) => onLines((lines) => lines.toSpliced(line % Math.max(lines.length, 1), 1))),
  fc
    .nat()
    .map((line) =>
      onLines((lines) =>
        lines.toSpliced(line % Math.max(lines.length, 1), 0, lines[line % Math.max(lines.length, 1)] ?? ""),
      ),
    ),
  fc.constantFrom(0, 1, 35, 153, 255, undefined).map((code) => (answer: Answer) => ({ ...answer, code })),
  fc.constant((answer: Answer) => ({ ...answer, stdout: answer.stderr, stderr: answer.stdout })),
  fc.constant(onText(() => "")),
  fc.constant(onText((text) => text.replaceAll("\n", "\r\n"))),
  fc.constant(onText((text) => text.replaceAll("\n", " "))),
  fc.constant(onText((text) => text.toLowerCase())),
);

const at = (text: string, part: number) => Math.floor(text.length * part);

function onText(change: (text: string) => string): (answer: Answer) => Answer {
  return (answer) => ({ ...answer, stdout: change(answer.stdout) });
}

function onLines(change: (lines: string[]) => string[]): (answer: Answer) => Answer {
  return onText((text) => change(text.split("\n")).join("\n"));
}

function survivesFaults(captures: readonly Capture[], read: Subject["read"]): void {
  // Our blocks are no arrays, whose members share an id.
  const whole = captures.filter(({ case: name }) => !/array|nodefail-nokill/.test(name));
  const statuses = whole.filter((capture) => read(capture)?.kind === "status");

  test("a mutilated answer never ends a block that had not ended, nor well one that had ended badly", () => {
    expect(statuses.length).toBeGreaterThan(5);
    fc.assert(
      fc.property(fc.constantFrom(...statuses), fc.array(faults, { minLength: 1, maxLength: 2 }), (capture, some) => {
        const answer = some.reduce<Answer>((before, fault) => fault(before), { ...capture, code: capture.rc });
        const rc = answer.code ?? 124;
        const after = words(read({ ...capture, ...answer, rc })?.means ?? "");
        for (const [id, before] of words(capture.means ?? "")) {
          const now = after.get(id) ?? "";
          if (!ends.has(before) && ends.has(now)) throw new Error(`${capture.case}: ${id} ${before} → ${now}`);
          if (before !== "ok" && now === "ok") throw new Error(`${capture.case}: ${id} ${before} → ok`);
        }
      }),
      { numRuns: 1000 },
    );
  });
}

/** `12 running n01; 13 ok` → each block's first word. */
function words(means: string): Map<string, string> {
  return new Map(means.split("; ").map((part) => [part.split(" ")[0] ?? "", part.split(" ")[1] ?? ""]));
}

function readsAnything(profile: Profile): void {
  const provider = openProvider(profile, siteOf(profile));
  const answers: fc.Arbitrary<Answer> = fc.record({
    code: fc.constantFrom(0, 1, 35, 153, 255, undefined),
    stdout: fc.string({ unit: "binary" }),
    stderr: fc.string({ unit: "binary" }),
  });

  test("noise is read as nothing known, whatever was asked", () => {
    const refs = [
      { id: "1", name: "gc0000000000aa" },
      { id: "2", name: "gc0000000000bb" },
    ];
    fc.assert(
      fc.property(answers, (answer) => {
        const many = [answer, answer];
        for (const sights of [provider.readObserve(refs, many), provider.readResolve(refs, many)]) {
          for (const { id } of refs) expect(sights.get(id)?.seen).not.toBe("seen");
        }
        expect(provider.readAdopt(answer).blocks).toEqual([]);
        expect(provider.readProbe(many).present).toBe(false);
        provider.readSubmit(answer);
        for (const name of ["cancel", "hold", "release"] as const) provider.readOrder(name, refs, many);
        expect(provider.describeAllocation({ env: {}, hostname: "h", text: () => answer.stdout })).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test("a submission without a clear word is ambiguous", () => {
    expect(provider.readSubmit({ code: undefined, stdout: "", stderr: "" }).is).toBe("ambiguous");
    expect(provider.readSubmit({ code: 0, stdout: "", stderr: "" }).is).toBe("ambiguous");
    expect(provider.readSubmit({ code: 1, stdout: "", stderr: "?" }).is).toBe("ambiguous");
  });
}

function answersInParts(profile: Profile): void {
  const provider = openProvider(profile, siteOf(profile));

  test("a question about many blocks is as many commands as needed, and each answer counts for its own", () => {
    const refs = Array.from({ length: 260 }, (_, i) => ({ id: String(i + 1), name: plain.name }));
    const commands = provider.observe(refs);
    expect(commands.length).toBeLessThanOrEqual(3);
    const sights = provider.readObserve(refs, []);
    expect([...sights.values()].every(({ seen }) => seen === "uncovered")).toBe(true);
    expect(provider.order("cancel", refs)?.length).toBeGreaterThan(1);
    expect([...provider.readOrder("cancel", refs, []).values()].every(({ is }) => is === "unsure")).toBe(true);
  });

  test("a block that left an exit code has a verdict where the scheduler has none", () => {
    const refs = [{ id: "1", name: plain.name }];
    const evidence = (exit_code: string) => new Map([["1", { exit_code }]]);
    expect(provider.readResolve(refs, [], evidence("0\n")).get("1")).toMatchObject({ state: { outcome: "ok" } });
    expect(provider.readResolve(refs, [], evidence("14\n")).get("1")).toMatchObject({ exit_code: 14 });
    expect(provider.readResolve(refs, [], evidence("1")).get("1")?.seen).toBe("uncovered");
  });
}
