/** What may go wrong between a scheduler and whoever asks it, and how that looks in an answer. */
import type { Reply } from "./speaker.ts";

export type Fault =
  /** Says nothing until all is well again, and then ends without a word. What was ordered is done nevertheless. */
  | { readonly is: "hang" }
  /** Bytes that mean nothing, with exit code 0. */
  | { readonly is: "garbage" }
  /** The beginning of the answer, up to this part of it. */
  | { readonly is: "partial"; readonly part: number }
  /** Lines in front of the answer. */
  | { readonly is: "banner"; readonly lines: readonly string[] }
  /** Ids with another end than they were given out with. */
  | { readonly is: "suffix"; readonly of: string; readonly instead: string }
  /** Another answer, and nothing is done. */
  | { readonly is: "refuse"; readonly code: number; readonly stderr: string };

/** Bytes that no reader may take for anything. */
const noise = "\u0001\u0000<<%%>> 0 -1 {[ \u001b[31mSegmentation\tfault 17:03\n@@@@";

/** A whole answer → the one that arrives. */
export function spoilt(reply: Reply, fault: Fault): Reply {
  switch (fault.is) {
    case "hang":
      return { code: 255, stdout: "", stderr: "" };
    case "garbage":
      return { code: 0, stdout: noise, stderr: "" };
    case "partial":
      return { ...reply, stdout: reply.stdout.slice(0, Math.floor(reply.stdout.length * fault.part)) };
    case "banner":
      return { ...reply, stdout: fault.lines.map((line) => `${line}\n`).join("") + reply.stdout };
    case "suffix":
      return { ...reply, stdout: reply.stdout.replaceAll(fault.of, fault.instead) };
    case "refuse":
      return { code: fault.code, stdout: "", stderr: fault.stderr };
  }
}
