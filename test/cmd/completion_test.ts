/** Completions, asked for as a shell asks for them: in a real bash, and in zsh and fish where there are some. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gcArgv, Place } from "./command_line.ts";

let place: Place;
beforeAll(async () => {
  place = new Place();
  const gc = join(place.dir, "gc");
  writeFileSync(gc, `#!/bin/sh\nexec ${gcArgv.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  chmodSync(gc, 0o755);
  await place.gc(["endpoint", "configure", "my-endpoint"]);
  await place.gc(["endpoint", "configure", "other"]);
  writeFileSync(
    join(place.home, "contexts.json"),
    JSON.stringify({ v: 1, current: "lab", contexts: { lab: { kind: "url", url: "wss://x" } } }),
  );
});
afterAll(() => place.remove());

const env = () => ({ PATH: `${place.dir}:${process.env.PATH}` });

/** What a shell is asked, and words that must and must not be offered. */
const asked: [line: string, offered: string[], not: string[]][] = [
  ["gc en", ["endpoint"], ["relay"]],
  ["gc ", ["run", "endpoint", "relay", "doctor"], ["configure"]],
  ["gc endpoint ", ["configure", "start", "list"], ["run"]],
  ["gc endpoint show ", ["my-endpoint", "other"], ["lab"]],
  ["gc endpoint show o", ["other"], ["my-endpoint"]],
  ["gc endpoint configure --log-level ", ["debug", "info", "warn", "error"], []],
  ["gc endpoint configure --l", ["--log-level"], ["--slots"]],
  ["gc --context ", ["lab", "local"], ["run"]],
  ["gc --context lab endpoint st", ["start", "stop", "status"], ["show"]],
  ["gc context use ", ["lab", "local"], []],
  ["gc run --endpoint ", ["my-endpoint", "other"], []],
  ["gc completion ", ["bash", "zsh", "fish"], []],
  ["gc run -- base", ["basename"], ["--json"]],
];

function expectOffers(stdout: string, offered: string[], not: string[]): void {
  const words = stdout.split(/\s+/);
  for (const word of offered) expect(words).toContain(word);
  for (const word of not) expect(words).not.toContain(word);
}

describe("gc completion bash", () => {
  test.each(asked)("offers the right words after %p", async (line, offered, not) => {
    const script = `set -u
      source <(gc completion bash)
      complete -p gc gcompute >/dev/null
      read -r -a COMP_WORDS <<< "$1"
      [[ "$1" == *" " ]] && COMP_WORDS+=("")
      COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      _gc
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = await place.run(["bash", "-c", script, "bash", line], { env: env() });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expectOffers(ran.stdout, offered, not);
  });

  test("completes nothing, and says nothing, when the home folder is broken", async () => {
    const ran = await place.run(["gc", "__complete", "endpoints"], { env: { ...env(), GC_HOME: "/dev/null" } });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
  });
});

describe.skipIf(Bun.which("fish") === null)("gc completion fish", () => {
  test("offers the right words", async () => {
    const lines = asked.slice(0, -1).map(([line]) => line);
    const script = `gc completion fish | source
      for line in $argv; complete -C "$line" | string replace -r '\\t.*' ''; echo ---; end`;
    const ran = await place.run(["fish", "-c", script, ...lines], { env: env() });
    expect(ran.stderr).toBe("");
    const answers = ran.stdout.split("---\n");
    for (const [i, [, offered, not]] of asked.slice(0, -1).entries()) expectOffers(answers[i] ?? "", offered, not);
  }, 30_000);
});

describe.skipIf(Bun.which("zsh") === null)("gc completion zsh", () => {
  test("is taken by zsh, and completes the name of an endpoint at its prompt", async () => {
    const script = `zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z 'autoload -U compinit; compinit -u -D; source <(gc completion zsh); print -r "rea""dy"'
      zpty -r z seen '*ready*'
      zpty -w -n z $'gc endpoint show ot\\t'
      zpty -r z seen '*ot*her*'
      zpty -d z; print -r -- completed`;
    const ran = await place.run(["zsh", "-f", "-c", script], { env: env() });
    expect(ran.stdout).toContain("completed");
  }, 30_000);
});
