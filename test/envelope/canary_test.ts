/** What is inside an envelope is not found in its bytes, in no spelling; and a header says only what it is meant to. */
import { expect, test } from "bun:test";
import { composeLive, composeResult, composeTasks } from "../../core/envelope/compose.ts";
import type { Stdin, TaskSpec } from "../../core/schema/task.ts";
import { alice, ask, created_ms, everyKind, group, id, polaris, result, sealer, session, tasks } from "./samples.ts";

const canary = "canary-5d1e7f30-yellow-feathers";
const stdin: Stdin = { kind: "inline", base64: Buffer.from(canary).toString("base64") };
const spec: TaskSpec = {
  argv: [canary, `--secret=${canary}`],
  script: `echo ${canary}`,
  env: { [canary]: canary },
  cwd: `/home/${canary}`,
  label: canary,
  stdin,
};
const spoken = result({
  outcome: { class: "fail", cause: "spawn", exit_code: 127, reason: `"${canary}" was not found` },
  stdout: { total: 31, kept: 31, text: canary },
  stderr: { total: 31, kept: 31, base64: Buffer.from(canary).toString("base64") },
  host: canary,
});

/** The canary as text, UTF-16, hexadecimal and base64 at all three alignments, and its shortest telling part. */
function spellings(): Buffer[] {
  const bytes = Buffer.from(canary);
  const base64 = [0, 1, 2].map((pad) => {
    const whole = Buffer.concat([Buffer.alloc(pad), bytes]).toString("base64");
    return Buffer.from(whole.slice(4, -4));
  });
  const words = ["yellow", "feathers"].map((word) => Buffer.from(word));
  return [bytes, Buffer.from(canary, "utf16le"), Buffer.from(bytes.toString("hex")), ...base64, ...words];
}

const live = { id, session, created_ms };
const message = { t: "input", text: canary, bytes: [new TextEncoder().encode(canary)] };
const said = { id, re: tasks.header.id, group, created_ms, indices: [0], results: [spoken] };
const composed = {
  "a task": composeTasks(alice, polaris.record, sealer, { ...ask, base: spec, tasks: [spec, spec] }),
  "a result": composeResult(polaris, alice.record, sealer, said),
  "live messages": composeLive(alice, polaris.record, sealer, { ...live, messages: [message] }),
};

for (const [what, envelope] of Object.entries(composed)) {
  test(`the canary in ${what} is in no byte that travels`, () => {
    const bytes = Buffer.from(envelope.bytes);
    for (const spelling of spellings()) expect(bytes.includes(spelling)).toBe(false);
  });
}

test("the canary would be found if it were there", () => {
  const naked = Buffer.from(JSON.stringify([spec, spoken]));
  const [text, , , ...rest] = spellings();
  expect(naked.includes(text ?? "")).toBe(true);
  expect(rest.some((spelling) => naked.includes(spelling))).toBe(true);
});

test("a header has ids, times, counts and classes, and nothing for anything else", () => {
  const open = new Set<string>();
  for (const { header } of everyKind) for (const name of Object.keys(header)) open.add(name);
  expect([...open].sort()).toEqual(
    [
      ...["v", "kind", "from", "to", "created_ms", "id", "sender", "re", "group", "session"],
      ...["nonce", "count", "priority", "expires_ms", "on_lost", "digest", "indices", "classes"],
    ].sort(),
  );
});
