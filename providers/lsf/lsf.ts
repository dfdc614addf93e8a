/** IBM Spectrum LSF, 10.1 with fix pack 2 and later. No running one was at hand; OpenLava, its relative, was. */
import type { Answer, Capabilities } from "../outcome.ts";
import type { Profile } from "../profile.ts";
import { lsfDirectives } from "./directives.ts";
import { lsfAllocation, lsfHosts } from "./inside.ts";
import { bjobsJson, readJson } from "./json_form.ts";
import { bhist, jobNumber } from "./long_form.ts";
import { bkill, bkillForce, bresume, bstop } from "./orders.ts";

export const lsf: Profile = {
  name: "lsf",
  title: "LSF",
  commands: ["bsub", "bjobs", "bhist", "bkill", "bstop", "bresume"],
  // BSUB_QUIET suppresses the id.
  unset: ["BSUB_*", "LSB_BJOBS_*", "LSB_JOB*", "LSB_HOSTS", "LSB_MCPU_HOSTS", "GC_*"],
  refuses: ["qos", "clusters", "gres", "select_options", "parallel_environment"],
  // Without its daemon, every command waits for ever.
  timeouts_s: { submit: 120, status: 60, order: 60 },
  poll_s: 30,
  absence: { after_submit_s: 60, polls: 3 },
  probes: [{ command: "bjobs", args: ["-V"] }],
  readProbe: (answers) => probed(answers, /^(?:IBM Spectrum |Platform )?LSF (?:\S+ )?(\d\S*?),/m),
  script: {
    prefix: "#BSUB",
    // Seen on OpenLava: also behind commands.
    placement: "anywhere",
    wins: "first",
    executable: false,
    live_output: false,
    quotes_paths: false,
  },
  directives: (request) => lsfDirectives(request, "lsf"),
  hosts: lsfHosts,
  submit: {
    command: "bsub",
    args: () => [],
    // Directives count only in a script that comes in this way.
    by_stdin: true,
    ids: [/^Job <(?<id>\d+)> is submitted to (?:default )?queue <[^>]*>\.?\s*$/],
    reads_stderr: true,
    exports_env: true,
    refusals: [
      { pattern: /Network is unreachable\. Job not submitted|library call.*not submitted/s, class: "transient" },
      { pattern: /System call failed|library call|daemon not responding|Cannot connect to LSF/, class: "ambiguous" },
      { pattern: /limit.* reached|threshold|Too many (pending )?jobs/i, class: "limit" },
      { pattern: /cannot use the queue|been closed|permission denied|hard limit|esub/, class: "policy" },
      { pattern: /Job not submitted/, class: "config" },
    ],
  },
  keyOf: jobNumber,
  observe: bjobsJson,
  history: bhist,
  find: { command: "bjobs", args: bjobsJson.args([]), read: readJson },
  cancel: { term: bkill, force: bkillForce },
  hold: bstop,
  release: bresume,
  inside: { files: () => [], describe: lsfAllocation },
};

/** Both print their version on standard error. */
export function probed([version]: readonly Answer[], pattern: RegExp): Capabilities {
  const found = `${version?.stdout ?? ""}\n${version?.stderr ?? ""}`.match(pattern)?.[1];
  return {
    present: found !== undefined,
    history: found !== undefined,
    ...(found === undefined ? {} : { version: found }),
    notes: [],
  };
}
