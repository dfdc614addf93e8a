/** Talking to a task while it runs: piped input, and terminals. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Rig } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.close());

describe("input", () => {
  let tid: string;
  afterEach(() => {
    rig.inputAcks.length = 0;
  });
  const send = (offset: number, text: string | Uint8Array, end = false): void => {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    rig.send({ t: "input", tid, offset, end, bytes: [bytes] } as never);
  };

  test("is nothing unless asked for", async () => {
    expect((await rig.run({ argv: ["wc", "-c"] })).stdout.text?.trim()).toBe("0");
  });

  test("that comes with the task is read from its beginning, by name too", async () => {
    const base64 = Buffer.from("hello\nworld\n").toString("base64");
    expect((await rig.run({ script: "cat /dev/stdin", stdin: { kind: "inline", base64 } })).stdout.text).toBe(
      "hello\nworld\n",
    );
  });

  test("is streamed to its end, once and in order, also when it is repeated", async () => {
    tid = rig.submit({ script: "cat /dev/stdin", stdin: { kind: "stream" } });
    send(0, "one\n");
    send(0, "one\n");
    send(4, "two\n");
    await rig.until(() => rig.inputAcks.some(({ offset }) => offset === 8));
    send(8, "three\n", true);
    expect((await rig.result(tid)).stdout.text).toBe("one\ntwo\nthree\n");
  });

  test("of many megabytes arrives whole, and a task that does not read holds it back", async () => {
    tid = rig.submit({ script: "sleep 0.5; cksum", stdin: { kind: "stream" } });
    const chunk = Buffer.alloc(64 * 1024, "abcdefgh");
    const total = 160 * chunk.byteLength;
    let sent = 0;
    const acked = (): number =>
      Math.max(0, ...rig.inputAcks.filter((ack) => ack.tid === tid).map(({ offset }) => offset));
    let most = 0;
    while (sent < total) {
      await rig.until(() => sent - acked() < 1024 * 1024);
      send(sent, chunk, sent + chunk.byteLength === total);
      sent += chunk.byteLength;
      if (!rig.results.has(tid)) most = Math.max(most, sent - acked());
    }
    const wanted = Bun.spawnSync(["cksum"], { stdin: Buffer.concat(Array(160).fill(chunk)) }).stdout.toString();
    expect((await rig.result(tid)).stdout.text).toBe(wanted);
    expect(most).toBeGreaterThan(512 * 1024);
  });

  test("that the task does not want delays nobody", async () => {
    tid = rig.submit({ script: "exec <&-; sleep 0.2; echo done", stdin: { kind: "stream" } });
    await rig.untilStarted(tid);
    await rig.until(() => {
      send(0, Buffer.alloc(64 * 1024));
      return rig.inputAcks.some(({ closed }) => closed);
    });
    expect((await rig.result(tid)).stdout.text).toBe("done\n");
    send(64 * 1024, "more");
    await rig.until(() => rig.inputAcks.some(({ offset, closed }) => closed && offset === 64 * 1024 + 4));
  });
});

describe("a terminal", () => {
  const tty = { columns: 91, rows: 33, term: "xterm-256color" };

  test("has a size, a type and a session, and carries input and output", async () => {
    const tid = rig.submit({
      script: "tty >/dev/null && stty size && echo $TERM; read x; echo got $x; exit 5",
      tty,
      stdin: { kind: "stream" },
    });
    rig.send({ t: "follow", sid: "tty", tid, stdout_from: 0, stderr_from: 0, window: 100_000 });
    await rig.until(() => rig.followed("tty", "stdout").bytes.includes("xterm-256color"));
    rig.send({ t: "input", tid, offset: 0, end: false, bytes: [Buffer.from("hi\n")] } as never);
    const result = await rig.result(tid);
    expect(result.outcome).toMatchObject({ class: "fail", cause: "exit", exit_code: 5 });
    await rig.until(() => rig.followed("tty", "stdout").end);
    expect(rig.followed("tty", "stdout").bytes.toString()).toBe("33 91\r\nxterm-256color\r\nhi\r\ngot hi\r\n");
  });

  test("gets another size, and the task is told", async () => {
    const tid = rig.submit({
      script: "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.02; done",
      tty,
    });
    rig.send({ t: "follow", sid: "size", tid, stdout_from: 0, stderr_from: 0, window: 1000 });
    await rig.until(() => rig.followed("size", "stdout").bytes.includes("ready"));
    rig.send({ t: "resize", tid, columns: 100, rows: 40 });
    expect((await rig.result(tid)).stdout.text).toContain("40 100");
  });

  test("turns ^C into SIGINT for the foreground", async () => {
    const tid = rig.submit({
      script: "trap 'echo int; exit 9' INT; echo ready; while :; do sleep 0.02; done",
      tty,
      stdin: { kind: "stream" },
    });
    rig.send({ t: "follow", sid: "ctrl", tid, stdout_from: 0, stderr_from: 0, window: 1000 });
    await rig.until(() => rig.followed("ctrl", "stdout").bytes.includes("ready"));
    rig.send({ t: "input", tid, offset: 0, end: false, bytes: [Buffer.from([3])] } as never);
    expect((await rig.result(tid)).outcome.exit_code).toBe(9);
  });

  test("loses none of a lot of output at the end", async () => {
    const { stdout } = await rig.run({ script: "head -c 500000 /dev/zero | tr '\\0' a; echo; echo end", tty });
    expect(stdout.total).toBe(500_007);
    expect(stdout.text?.endsWith("a\r\nend\r\n")).toBe(true);
  });

  test("does not wait for a process that keeps it open", async () => {
    const began_ms = performance.now();
    const tid = rig.submit({ script: "trap '' HUP; sleep 301 & echo done", tty });
    expect((await rig.result(tid)).outcome.exit_code).toBe(0);
    expect(performance.now() - began_ms).toBeLessThan(3000);
  });
});
