/**
 * `gc sdk serve`: what SDKs in other languages start once per process and speak to in lines of JSON, instead of
 * speaking the wire protocol themselves. Ends when its input ends and everything that was handed over is safe. Writes
 * nothing but lines of the protocol to standard output.
 */
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import { type SdkSubmit, sdkProtocol } from "../../core/schema/sdk_message.ts";
import { parse } from "../../core/schema/validate.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { TaskDesk } from "../task_desk.ts";
import { version } from "../version.ts";
import { answer, type BridgeParts, errorLine } from "./bridge.ts";
import { Following } from "./following.ts";
import { LineOut, linesOf } from "./lines.ts";
import { Submissions } from "./submissions.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("serve", { hidden: true })
    .description("Serve an SDK: lines of JSON on standard input and output. SDKs start it; people have no need to.")
    .action(async () => {
      cli.exit_code = await serve(cli);
    });
  addExamples(command, [["gc sdk serve", "then lines of JSON, as docs/SDK_PROTOCOL.md says"]]);
}

async function serve(cli: Cli): Promise<number> {
  const out = new LineOut(1);
  const lines = linesOf(0);
  let desk: TaskDesk | undefined;
  try {
    const hello = read((await lines.next()).value ?? "");
    if (hello.t !== "hello" || hello.v !== sdkProtocol) {
      const said = hello.t === "hello" ? `version ${hello.v} of the protocol` : `"${hello.t}" first`;
      const message = `The SDK speaks ${said}; this gc (${version}) speaks version ${sdkProtocol}`;
      throw new GcError("protocol", "sdk.version", message, { hint: "gc sdk python > gc_compute.py" });
    }
    desk = new TaskDesk(cli, true);
    const user = desk.client.identity.id;
    out.send({ t: "hello", v: sdkProtocol, version, user, context: desk.context.name });
    await converse(desk, lines, out);
    return 0;
  } catch (error) {
    out.send(errorLine(undefined, error));
    await out.drained();
    return error instanceof GcError && error.kind === "protocol" ? 76 : 70;
  } finally {
    desk?.close();
  }
}

async function converse(desk: TaskDesk, lines: AsyncGenerator<string>, out: LineOut): Promise<void> {
  const following = new Following(desk, out);
  const submissions = new Submissions(desk, out, following);
  const parts: BridgeParts = { desk, out, following, submissions };
  const working = new Set<Promise<void>>();
  desk.client.adoptWaiting();
  const gone = new Promise<void>((resolve) => {
    out.onClosed = resolve;
  });
  const reading = async (): Promise<void> => {
    for await (const line of lines) {
      if (line.trim() === "") continue;
      const work = takeLine(parts, line).finally(() => working.delete(work));
      working.add(work);
      await submissions.room();
    }
  };
  await Promise.race([reading(), gone, following.broken]);
  await Promise.all(working);
  await submissions.allAnswered();
  await out.drained();
  await following.end();
}

async function takeLine(parts: BridgeParts, line: string): Promise<void> {
  let ref: number | undefined;
  try {
    const request = read(line);
    if (request.t === "hello") return;
    ref = request.ref;
    if (request.t === "submit") await parts.submissions.take(request as SdkSubmit, line.length);
    else await answer(parts, request);
  } catch (error) {
    parts.out.send(errorLine(ref ?? refOf(line), error));
  }
}

function read(line: string) {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new GcError("data", "sdk.line", "The line is not JSON", { cause });
  }
  return parse("sdk_request", value, "request");
}

/** The number of a request that is wrong otherwise, so that whoever waits for its answer learns that. */
function refOf(line: string): number | undefined {
  try {
    const { ref } = JSON.parse(line) as { ref?: unknown };
    return typeof ref === "number" ? ref : undefined;
  } catch {
    return undefined;
  }
}
