/** What a fake scheduler answers to a command, with whatever is wrong with it at the moment. */
import { spoilt } from "./faults.ts";
import { type Call, failed, type Reply } from "./speaker.ts";
import { speakerOf } from "./speakers.ts";

/** The answer, which a command that hangs gives only when all is well again. */
export function answer(command: string, call: Call): Reply & { readonly hangs: boolean } {
  const { queue, args } = call;
  queue.note(command, args);
  const fault = queue.faultOf(command);
  if (fault?.is === "refuse") return { ...spoilt(failed(0, ""), fault), hangs: false };
  const speak = speakerOf(queue.cluster.scheduler).commands[command];
  const reply = speak === undefined ? failed(127, `${command}: command not found\n`) : speak(call);
  return { ...(fault === undefined ? reply : spoilt(reply, fault)), hangs: fault?.is === "hang" };
}
