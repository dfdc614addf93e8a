/** When `gc map` gives up early (`--halt`), in the words of GNU parallel: `now,fail=1`, `soon,fail=10%`. Pure. */
import { GcError } from "../../core/errors.ts";

/** `now`: cancel what runs. `soon`: start no more. */
export interface HaltPolicy {
  readonly when: "now" | "soon";
  readonly what: "fail" | "success" | "done";
  readonly count: number;
  readonly is_percent: boolean;
}

/** Shares are looked at once so many tasks have ended. */
const shareAfter = 3;

/** @throws GcError usage `map.halt`. */
export function haltOf(text: string): HaltPolicy | undefined {
  if (text === "never") return undefined;
  const parts = /^(now|soon),(fail|success|done)=(\d{1,9})(%?)$/.exec(text);
  const [, when, what, count, percent] = parts ?? [];
  if (parts !== null && Number(count) > 0) {
    return {
      when: when as HaltPolicy["when"],
      what: what as HaltPolicy["what"],
      count: Number(count),
      is_percent: percent === "%",
    };
  }
  const message = `--halt takes never, or now or soon with fail, success or done and a number: not "${text}"`;
  throw new GcError("usage", "map.halt", message, { hint: "gc map --halt now,fail=1 -- ./sim {}" });
}

/** Whether it is time. `total`: all tasks, where known. */
export function isHalted(policy: HaltPolicy, done: number, failed: number, total: number | undefined): boolean {
  const counted = { fail: failed, success: done - failed, done }[policy.what];
  if (!policy.is_percent) return counted >= policy.count;
  const of = total ?? done;
  return done >= shareAfter && counted * 100 >= policy.count * of;
}
