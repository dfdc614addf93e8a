/**
 * Draws docs/LIFECYCLE.md from the table in core/task/lifecycle.ts. `--check` only says whether the document is what
 * the table says (exit code 1 when not).
 */
import { lifecycle } from "../core/task/lifecycle.ts";

const path = new URL("../docs/LIFECYCLE.md", import.meta.url).pathname;

/** The document that goes with the table. */
export function lifecycleDocument(): string {
  const node = (phase: string): string => (phase === "nothing" ? "[*]" : phase);
  const arrows = lifecycle.map(({ from, to, on }) => `    ${node(from)} --> ${to}: ${on.replaceAll(":", "")}`);
  const rows = lifecycle.map(({ from, to, owner, on, fence }) => `| ${from} | ${to} | ${owner} | ${on} | ${fence} |`);
  return `# The life of a task

Drawn from the table in [core/task/lifecycle.ts](../core/task/lifecycle.ts) by
\`sh scripts/bun scripts/lifecycle.ts\`; change the table, not this file. Only the owner of a step
writes it down; everybody else sees a copy.

\`\`\`mermaid
stateDiagram-v2
${arrows.join("\n")}
    expired --> [*]
    gone --> [*]
\`\`\`

| from | to | owner | on | what must hold |
|---|---|---|---|---|
${rows.join("\n")}

How a task ended is the class of its result: \`ok\` and \`fail\` (the command itself), \`cancelled\`, \`rejected\`
(the endpoint does not run it), \`lost\` (its worker was proved dead and it may be started only once) and
\`poisoned\` (it killed three workers).
`;
}

if (import.meta.main) {
  const wanted = lifecycleDocument();
  if (process.argv.includes("--check")) {
    if ((await Bun.file(path).text()) === wanted) process.exit(0);
    console.error("docs/LIFECYCLE.md is not what core/task/lifecycle.ts says; run: scripts/bun scripts/lifecycle.ts");
    process.exit(1);
  }
  await Bun.write(path, wanted);
}
