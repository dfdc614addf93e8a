/** The very commands that we run on Slurm, with the id at both ends of each row. */
import { describe, expect, test } from "bun:test";
import { openProvider } from "../../../providers/provider.ts";
import { slurm } from "../../../providers/slurm/slurm.ts";
import { told } from "../captures.ts";
import { siteOf } from "../sites.ts";

const provider = openProvider(slurm, siteOf(slurm));
const [a, b] = ["gc0000000000aa", "gc0000000000bb"];
const refs = [
  { id: "3", name: a },
  { id: "13", name: b },
];
const row = (id: string, state: string, name: string, reason = "None", start = "N/A") =>
  `${id}|${state}|${reason}|${start}|N/A|n[1-2]|${name}|${id}\n`;

function observed(stdout: string, end: number | "no end" = 0): string {
  const code = end === "no end" ? undefined : end;
  const sights = provider.readObserve(refs, [{ code, stdout, stderr: "" }]);
  return refs.map(({ id }) => told(sights.get(id))).join("; ");
}

describe("squeue", () => {
  test("is asked once for all blocks, of this user alone", () => {
    expect(provider.observe(refs).map(({ argv }) => argv.join(" "))).toEqual([
      "/usr/bin/squeue --me -h -a -t all -o %i|%T|%r|%S|%e|%N|%j|%i",
    ]);
    expect(provider.observe(refs)[0]?.unset).toContain("SQUEUE_*");
  });

  test("goes to another cluster where the site is one", () => {
    const there = openProvider(slurm, { ...siteOf(slurm), cluster: "big" });
    expect(there.observe(refs)[0]?.argv.slice(0, 3)).toEqual(["/usr/bin/squeue", "-M", "big"]);
    expect(there.render).toBeFunction();
  });

  test("tells states, and absence where it lists all", () => {
    expect(observed(row("3", "RUNNING", a))).toBe("running n1,n2; absent");
    expect(observed(row("3", "PENDING", a, "JobHeldUser") + row("13", "PENDING", b, "BadConstraints"))).toBe(
      "held stuck n1,n2 (JobHeldUser); pending stuck n1,n2 (BadConstraints)",
    );
    expect(observed("", 1)).toBe("uncovered; uncovered");
    expect(observed(row("3", "RUNNING", a), "no end")).toBe("running n1,n2; uncovered");
  });

  test("tells when a block is expected to start", () => {
    const stdout = row("3", "PENDING", a, "Priority", "2026-11-23T06:26:51");
    const sight = provider.readObserve(refs, [{ code: 0, stdout, stderr: "" }]).get("3");
    expect(sight).toMatchObject({ start_estimate_ms: Date.UTC(2026, 10, 23, 6, 26, 51) });
  });

  test("takes neither a cut row nor one glued from two for a row", () => {
    const both = row("13", "COMPLETED", b) + row("3", "RUNNING", a);
    expect(observed(both.slice(1))).toBe("running n1,n2; uncovered");
    expect(observed(both.replace("COMPLETED|None|N/A|N/A|n[1-2]|gc0000000000bb|13\n3|", ""))).toBe(
      "uncovered; uncovered",
    );
    expect(observed(both.slice(0, -4))).toBe("uncovered; ok n1,n2");
  });

  test("keeps a state that it does not know, as unknown", () => {
    const sight = provider.readObserve(refs, [{ code: 0, stdout: row("3", "TELEPORTED", a), stderr: "" }]).get("3");
    expect(sight).toMatchObject({ seen: "seen", state: { phase: "unknown" }, raw: "TELEPORTED" });
  });

  test("does not believe a row with another name: the id was used again", () => {
    expect(observed(row("3", "COMPLETED", "somebodys"))).toBe("uncovered; absent");
  });

  test("finds our blocks by their names, and says when it could not look", () => {
    const listing = row("3", "RUNNING", a) + row("4", "RUNNING", "interactive") + row("5", "FAILED", b);
    expect(provider.readAdopt({ code: 0, stdout: listing, stderr: "" })).toEqual({
      covered: true,
      blocks: [
        { id: "3", name: a, state: { phase: "running" } },
        { id: "5", name: b, state: { phase: "done", outcome: "failed" } },
      ],
    });
    expect(provider.readAdopt({ code: 1, stdout: "", stderr: "down" })).toMatchObject({ covered: false, why: "down" });
  });
});

describe("sacct", () => {
  test("decides over blocks that the controller has forgotten, in parts of fifty", () => {
    const many = Array.from({ length: 120 }, (_, i) => ({ id: String(i + 1) }));
    expect(provider.resolve(many).length).toBe(3);
    const stdout = `3|FAILED|0:53|None|2026-11-23T06:26:51|2026-11-23T06:26:51|n1|${a}|3\n`;
    const sights = provider.readResolve(refs, [{ code: 0, stdout, stderr: "" }]);
    expect(refs.map(({ id }) => told(sights.get(id)))).toEqual(["launch_failed exit 0:53 n1", "absent"]);
  });

  test("leaves the verdict to the exit code of the block where accounting is off", () => {
    const off = { code: 1, stdout: "", stderr: "Slurm accounting storage is disabled\n" };
    const evidence = new Map([["3", { exit_code: "0\n" }]]);
    const sights = provider.readResolve(refs, [off], evidence);
    expect(refs.map(({ id }) => told(sights.get(id)))).toEqual(["ok exit 0", "uncovered"]);
  });
});

describe("describeAllocation()", () => {
  test("tells nodes, the least cores and memory, the end and the incarnation", () => {
    const env = {
      SLURM_JOB_ID: "7",
      SLURM_RESTART_COUNT: "1",
      SLURM_JOB_NODELIST: "n[1-3]",
      SLURM_JOB_CPUS_PER_NODE: "72(x2),36",
      SLURM_MEM_PER_NODE: "4000",
      SLURM_GPUS_ON_NODE: "4",
      SLURM_JOB_END_TIME: "1795416120",
    };
    expect(provider.describeAllocation({ env, hostname: "n1", text: () => undefined })).toEqual({
      id: "7",
      incarnation: "1",
      nodes: ["n1", "n2", "n3"],
      cores_per_node: 36,
      memory_mib_per_node: 4000,
      gpus_per_node: 4,
      ends_at_ms: 1795416120000,
    });
  });
});
