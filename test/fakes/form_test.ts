/**
 * The fakes speak in the form of the real ones: what they print differs from what was captured in numbers, dates, names
 * and paths, and in nothing else. Torque and LSF are compared with the samples that follow their manuals.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { type Capture, keptCaptures, samplesOf } from "../providers/captures.ts";
import { FakeCluster, type FakeName } from "./fake_cluster.ts";

/** `same`: every line. `within`: every line of the fake is one of the real ones. */
type How = "same" | "within";
/** A captured case, the words of the fake that must look like it, and how. `RUN` and so on stand for ids of jobs. */
type Case = readonly [name: string, words: string, how: How];

const long = "#!/bin/bash\nsleep 600\n";

interface Subject {
  readonly captures: readonly Capture[];
  /** How a script is handed over, with these options. */
  readonly submit: (options: string, script: string) => string;
  readonly two_nodes: string;
  readonly held: string;
  readonly cancel: string;
  readonly cases: readonly Case[];
}

const subjects: { readonly [name in FakeName]: Subject } = {
  pbspro: {
    captures: keptCaptures("openpbs"),
    submit: (options, script) => `qsub -N gc0a1b2c3d4e5f ${options} ${script}`,
    two_nodes: "-l select=2:ncpus=1:mpiprocs=1 -l place=scatter -l walltime=00:05:00",
    held: "-h",
    cancel: "qdel",
    cases: [
      ["version-qstat", "qstat --version", "same"],
      ["submit-blockid-name", "qsub -N gc0a1b2c3d4e5f -h LONG", "same"],
      ["submit-err-queue", "qsub -q nosuch LONG", "same"],
      ["submit-err-queue-disabled", "qsub -q closed LONG", "same"],
      ["submit-err-resource", "qsub -l nosuchres=1 LONG", "same"],
      ["submit-err-mixed", "qsub -l select=1:ncpus=1 -l nodes=1 LONG", "same"],
      ["submit-err-walltime-syntax", "qsub -l walltime=abc LONG", "same"],
      ["submit-err-missing", "qsub nosuch.sh", "same"],
      ["status-running-2n-qstat-f-json", "qstat -f -F json RUN", "within"],
      ["status-running-2n-qstat-x-E-f-json", "qstat -E -x -f -F json RUN", "within"],
      ["status-pending-too-many-nodes-qstat-x-f-json+status-all-json", "qstat -x -f -F json WAIT", "within"],
      ["status-finished-rc3-qstat-x-E-f-json", "qstat -E -x -f -F json RC3", "within"],
      ["status-cancelled-trapping-qstat-x-f-json", "qstat -x -f -F json GONE", "within"],
      ["status-cancelled-running-qstat-f-json", "qstat -f -F json GONE", "same"],
      ["status-cancelled-running-qstat-w", "qstat -w GONE", "same"],
      ["status-multi-all-unknown-qstat-x-E-f-json", "qstat -E -x -f -F json 99998.pbshead 99999.pbshead", "same"],
      ["status-multi-all-unknown-qstat-f-json", "qstat -f -F json 99998.pbshead 99999.pbshead", "same"],
      ["status-multi-all-known-qstat-w", "qstat -w RUN RUN HELD", "same"],
      ["cancel-unknown", "qdel 99999", "same"],
      ["cancel-again", "qdel GONE", "same"],
      ["cancel-several", "qdel 99999 GONE", "same"],
      ["hold-pending", "qhold WAIT", "same"],
      ["hold-finished", "qhold GONE", "same"],
      ["hold-unknown", "qhold 99999", "same"],
      ["release-again", "qrls WAIT", "same"],
    ],
  },
  torque: {
    captures: samplesOf("torque"),
    submit: (options, script) => `qsub -N gc0a1b2c3d4e5f ${options} ${script}`,
    two_nodes: "-l nodes=2:ppn=1",
    held: "-h",
    cancel: "qdel",
    cases: [
      ["version", "qstat --version", "same"],
      ["submit", "qsub -h LONG", "same"],
      ["submit-queue", "qsub -q nosuch LONG", "same"],
      ["cancel-gone", "qdel 99999", "same"],
    ],
  },
  lsf: {
    captures: samplesOf("lsf"),
    submit: (options, script) => `bsub -J gc0a1b2c3d4e5f ${options} < ${script}`,
    two_nodes: "-n 2 -R span[ptile=1]",
    held: "-H",
    cancel: "bkill",
    cases: [
      ["version", "bjobs -V", "same"],
      ["submit", "bsub -q normal -H < LONG", "same"],
      ["submit-no-queue", "bsub -q nosuch < LONG", "same"],
      ["status-pending", "bjobs -a -o COLUMNS -json WAIT", "same"],
      ["status-finished-rc3", "bjobs -a -o COLUMNS -json RC3", "same"],
      ["status-multi-one-unknown", "bjobs -a -o COLUMNS -json ONE 99999", "same"],
      ["cancel-gone", "bkill 99999", "same"],
    ],
  },
  openlava: {
    captures: keptCaptures("openlava"),
    submit: (options, script) => `bsub -J gc0a1b2c3d4e5f ${options} < ${script}`,
    two_nodes: "-n 2 -R span[ptile=1] -W 5",
    held: "-H",
    cancel: "bkill",
    cases: [
      ["version-bjobs-V", "bjobs -V", "same"],
      ["submit-blockid-name", "bsub -J gc0a1b2c3d4e5f -H < LONG", "same"],
      ["submit-8slots", "bsub -q normal -H < LONG", "same"],
      ["submit-err-queue", "bsub -q nosuch < LONG", "same"],
      ["submit-err-option-Q", "bsub -Q < LONG", "same"],
      ["submit-err-walltime-syntax", "bsub -W abc < LONG", "same"],
      ["submit-too-many-slots", "bsub -n 99 -R span[ptile=1] < LONG", "same"],
      ["find-by-name", "bjobs -w -noheader ONE", "same"],
      ["status-multi-all-known-bjobs-UF", "bjobs -UF ONE", "within"],
      ["status-cancelled-running-bhist-l", "bhist -n 0 -l GONE", "within"],
      ["status-multi-all-unknown-bjobs-UF", "bjobs -UF 99998 99999", "same"],
      ["status-multi-all-unknown-bjobs-w", "bjobs -w 99998 99999", "same"],
      ["status-multi-all-unknown-bhist-l", "bhist -l 99998 99999", "same"],
      ["cancel-several", "bkill WAIT 99999 GONE HELD", "same"],
      ["cancel-forgotten", "bkill 99999", "same"],
      ["hold-finished", "bstop GONE", "same"],
      ["release-unknown", "bresume 99999", "same"],
    ],
  },
  cobalt: {
    captures: keptCaptures("cobalt"),
    submit: (options, script) => `qsub -t 6 --jobname gc0a1b2c3d4e5f ${options} ${script}`,
    two_nodes: "-n 2",
    held: "-n 1 -h",
    cancel: "qdel",
    cases: [
      ["version-qstat", "qstat --version", "same"],
      ["submit-held", "qsub -h -n 1 -t 6 LONG", "same"],
      ["submit-err-queue", "qsub -n 1 -t 5 -q nosuch LONG", "same"],
      ["submit-err-queue-dead", "qsub -n 1 -t 5 -q closed LONG", "same"],
      ["submit-err-option", "qsub --nosuchoption -n 1 -t 5 LONG", "same"],
      ["submit-err-time", "qsub -n 1 LONG", "same"],
      ["submit-err-time-min", "qsub -n 1 -t 1 LONG", "same"],
      ["submit-err-nodes", "qsub -n 99 -t 5 LONG", "same"],
      ["submit-err-missing", "qsub -n 1 -t 5 nosuch.sh", "same"],
      ["submit-output-dir-missing", "qsub -n 1 -t 5 -o /nosuch/dir/out LONG", "same"],
      ["submit-gap-directive", "qsub LONG", "same"],
      ["status-held-qhold-qstat-header", "qstat --header JobID:JobName:State:Location HELD", "same"],
      ["status-hold-running-qstat-header", "qstat --header JobID:JobName:State:Location RUN", "same"],
      ["status-multi-all-unknown-qstat-header", "qstat --header JobID:JobName:User:State:Location 99998 99999", "same"],
      ["cancel-pending", "qdel WAIT", "same"],
      ["cancel-again", "qdel GONE", "same"],
      ["hold-running", "qhold RUN", "same"],
      ["hold-finished", "qhold GONE", "same"],
      ["release-running", "qrls RUN", "same"],
      ["release-unknown", "qrls 99999", "same"],
    ],
  },
  gridengine: {
    captures: keptCaptures("gridengine"),
    submit: (options, script) => `qsub -terse -N gc0a1b2c3d4e5f ${options} ${script}`,
    two_nodes: "-pe mpi 2",
    held: "-h",
    cancel: "qdel",
    cases: [
      ["submit-blockid-name", "qsub -terse -h LONG", "same"],
      ["submit-ok", "qsub -N gc0a1b2c3d4e5f -h LONG", "same"],
      ["submit-err-queue", "qsub -q nosuch.q LONG", "same"],
      ["submit-err-pe", "qsub -pe nosuch 2 LONG", "same"],
      ["submit-err-option", "qsub -nosuchoption LONG", "same"],
      ["submit-err-resource", "qsub -l nosuchres=1 LONG", "same"],
      ["submit-err-walltime-syntax", "qsub -l h_rt=abc LONG", "same"],
      ["submit-err-name", "qsub -N 1abc LONG", "same"],
      ["submit-err-missing", "qsub nosuch.sh", "same"],
      ["status-running-2n-qstat-xml", "qstat -xml", "within"],
      ["status-held-qstat-xml", "qstat -xml", "within"],
      ["status-cancelled-pending-qacct-j", "qacct -j 99999", "same"],
      ["status-exit100-qacct-j-later+status-exit137-qacct-j-later", "qacct -j RC3", "within"],
      ["cancel-array", "qdel 99999", "same"],
      ["hold-pending", "qhold WAIT", "same"],
      ["release-unknown", "qrls 99999", "same"],
    ],
  },
};

const columns = '"jobid stat job_name user exit_code exit_reason kill_reason pend_reason suspend_reason exec_host"';

for (const [name, subject] of Object.entries(subjects) as [FakeName, Subject][]) {
  describe(`the fake ${name}`, () => {
    const dir = mkdtempSync(join(tmpdir(), "gc-form-"));
    const fake = new FakeCluster(name, dir, { first: 3 });
    const ids = new Map<string, string>();
    const run = (words: string) => {
      const replaced = [...ids].reduce(
        (text, [word, id]) => text.replaceAll(new RegExp(`\\b${word}\\b`, "g"), id),
        words,
      );
      const [line = "", file] = replaced.split(" < ");
      const argv = line.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', "")) ?? [];
      return fake.ask({ argv, ...(file === undefined ? {} : { stdin: file === ids.get("LONG") ? long : rc3 }) });
    };
    const rc3 = "#!/bin/bash\nexit 3\n";

    beforeAll(async () => {
      for (const [word, text] of [
        ["LONG", long],
        ["RC3SH", rc3],
      ] as const) {
        const path = join(dir, `${word.toLowerCase()}.sh`);
        writeFileSync(path, text);
        chmodSync(path, 0o755);
        ids.set(word, path);
      }
      ids.set("COLUMNS", columns);
      const one = name === "cobalt" ? "-n 1" : "";
      const submit = (word: string, options: string, script = "LONG") => {
        const { stdout, stderr } = run(subject.submit(options, script));
        const id = stdout.match(/\d+(\.\w+)?/)?.[0];
        if (id === undefined) throw new Error(`${word} was not accepted: ${stdout}${stderr}`);
        ids.set(word, id);
        return Number.parseInt(id, 10);
      };
      const over = async (seq: number) => until(() => fake.queue.find(seq)?.end, `the end of job ${seq}`, 15_000, 20);
      const failing = submit("RC3", one, "RC3SH");
      const gone = submit("GONE", one);
      await until(() => fake.queue.find(gone)?.pid, "a process", 15_000, 20);
      run(`${subject.cancel} GONE`);
      await over(failing);
      await over(gone);
      submit("RUN", subject.two_nodes);
      submit("ONE", one);
      submit("HELD", subject.held);
      const wide = {
        pbspro: "-l select=4:ncpus=1 -l place=scatter -l walltime=00:05:00",
        cobalt: "-n 4",
        gridengine: "-pe mpi 4",
      };
      const slots = { torque: "-l nodes=4:ppn=1", lsf: "-n 4 -R span[ptile=1]", openlava: "-n 4 -R span[ptile=1]" };
      submit("WAIT", { ...wide, ...slots }[name]);
      if (name === "gridengine") await until(() => run("qacct -j RC3").code === 0, "the accounting", 15_000, 50);
    }, 60_000);

    afterAll(async () => {
      await fake.end();
      rmSync(dir, { recursive: true });
    }, 60_000);

    for (const [about, words, how] of subject.cases) {
      test(`${words.split(" ").slice(0, 4).join(" ")} looks like ${about}`, () => {
        const real = captured(subject.captures, about);
        const { code, stdout, stderr } = run(words);
        const said = { out: skeleton(stdout), err: skeleton(stderr) };
        const meant = { out: skeleton(real.stdout), err: skeleton(real.stderr) };
        if (how === "same") expect({ code, ...said }).toEqual({ code: real.rc, ...meant });
        else {
          expect({ code, err: said.err }).toEqual({ code: real.rc, err: meant.err });
          expect(strangers(said.out, meant.out)).toEqual([]);
          expect(said.out.split("\n").length).toBeGreaterThan(8);
        }
      });
    }
  });
}

/** A case; the lines of another may be joined to it, as in `a+b`. */
function captured(captures: readonly Capture[], about: string): Capture {
  const [first, ...others] = about.split("+").map((name) => captures.find((capture) => capture.case === name));
  if (first === undefined || others.includes(undefined)) throw new Error(`There is no case "${about}"`);
  return { ...first, stdout: [first, ...others].map((one) => one?.stdout ?? "").join("") };
}

/** Lines of `text` that are not among those of `real`, whatever their order. */
function strangers(text: string, real: string): string[] {
  const known = new Set(real.split("\n"));
  return text.split("\n").filter((line) => !known.has(line));
}

/** What is left of a text when everything is taken out that may differ from one job to the next. */
function skeleton(text: string): string {
  return text
    .replace(/\n {21}/g, "")
    .replace(/Command <[^\n]*>(?=\n)/g, "Command <C>")
    .replace(/("Submit_arguments":\t).*/g, "$1ARGS")
    .replace(/CWD <[^>]*>/g, "CWD <D>")
    .replace(/home <[^>]*>|Home <[^>]*>/g, "home <D>")
    .replace(/(?:\/[\w.~-]+)+/g, "/P")
    .replace(/\b(?:long|ok|rc3|late|nosuch|argv)\.sh\b|\bgc0[0-9a-f]+\b|\be1\d\d\b|\btrapterm\.sh\b/g, "NAME")
    .replace(/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d/g, "Day")
    .replace(/\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d/g, "Day")
    .replace(/\d+/g, "0")
    .replace(/ +/g, " ")
    .replace(/[-=]{5,}/g, "--")
    .replace(/,?$/gm, "")
    .trimEnd();
}
