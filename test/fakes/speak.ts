/** One command of a fake scheduler, as a process: what a wrapper on PATH runs. Usage: speak.ts DIR COMMAND ARGS…. */
import { readFileSync } from "node:fs";
import { answer } from "./answer.ts";
import { Queue } from "./queue.ts";

const [, , dir = "", command = "", ...args] = process.argv;
const queue = new Queue(dir);
const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
const stdin = () => readFileSync(0, "utf8");
const reply = answer(command, { queue, args, stdin, cwd: process.cwd(), env });
while (reply.hangs && queue.faultOf(command)?.is === "hang") await Bun.sleep(100);
queue.close();
await Promise.all([Bun.write(Bun.stdout, reply.stdout), Bun.write(Bun.stderr, reply.stderr)]);
process.exit(reply.code);
