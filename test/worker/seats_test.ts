/** Places that are not alike: who gets which processors and accelerators, and that nobody gets what another has. */
import { describe, expect, test } from "bun:test";
import { cpuGroups } from "../../core/worker/cpu_affinity.ts";
import { describeSeat } from "../../core/worker/environment.ts";
import { type Seat, Seats } from "../../core/worker/seats.ts";
import { Slots } from "../../core/worker/slots.ts";

const cpus = [0, 1, 2, 3, 8, 9, 10, 11];

describe("cpu_affinity", () => {
  test.each<[string, number, number[][]]>([
    ["none", 2, []],
    [
      "block",
      2,
      [
        [0, 1, 2, 3],
        [8, 9, 10, 11],
      ],
    ],
    [
      "block",
      3,
      [
        [0, 1],
        [2, 3],
        [8, 9],
      ],
    ],
    [
      "block-reverse",
      2,
      [
        [8, 9, 10, 11],
        [0, 1, 2, 3],
      ],
    ],
    [
      "alternating",
      2,
      [
        [0, 2, 8, 10],
        [1, 3, 9, 11],
      ],
    ],
    ["list:0,8-9:1", 2, [[0, 8, 9], [1]]],
    ["list:0:1:2", 2, [[0], [1]]],
  ])("%p for %p slots gives %p", (policy, slots, groups) => {
    expect(cpuGroups(policy, slots, cpus)).toEqual(groups);
  });

  test.each([
    ["block", 9, "8 processors for 9 slots"],
    ["list:0:1", 3, "2 groups for 3 slots"],
    ["list:0:5", 2, "processor 5 of group 1 is not ours"],
  ])("%p for %p slots says why not", (policy, slots, why) => {
    expect(cpuGroups(policy, slots, cpus)).toContain(why);
  });
});

describe("seats", () => {
  const groups = [
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
  ];
  const accelerators = ["a", "b", "c", "d"];
  const plan = { slots: 4, groups, accelerators, accelerator_each: true };

  test("give each slot its own processors and accelerator", () => {
    const seats = new Seats(plan);
    expect(seats.take(1, 1)).toEqual({ ranks: [0], cpus: [0, 1], accelerators: ["a"] });
    expect(seats.take(1, 1)).toEqual({ ranks: [1], cpus: [2, 3], accelerators: ["b"] });
  });

  test("give as many slots as a task has cores, and as many accelerators as it asked for", () => {
    const seats = new Seats(plan);
    expect(seats.take(3, 3)).toEqual({ ranks: [0, 1], cpus: [0, 1, 2, 3], accelerators: ["a", "b", "c"] });
    // The accelerator beside this slot is lent already.
    expect(seats.take(1, 1)).toEqual({ ranks: [3], cpus: [6, 7], accelerators: ["d"] });
    expect(seats.fits(1, 1)).toBe(false);
    expect(seats.take(1, 0)).toEqual({ ranks: [2], cpus: [4, 5], accelerators: [] });
    expect(seats.fits(1, 0)).toBe(false);
  });

  test("leave accelerators alone for tasks that ask for none, where not every task has one", () => {
    const seats = new Seats({ ...plan, accelerator_each: false });
    expect(seats.take(1, 0).accelerators).toBeUndefined();
  });

  test("never lend anything twice, in 500 disorderly lives", () => {
    for (let seed = 1; seed <= 500; seed++) {
      let state = seed;
      const pick = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return (state >> 8) % below;
      };
      const sharing = { each: { gpus: 1 }, seats: plan };
      const slots = new Slots(4, { cores: 8, gpus: 4 }, sharing);
      const held: { needs: ReturnType<Slots["needsOf"]>; seat: Seat | undefined }[] = [];
      for (let step = 0; step < 60; step++) {
        const asked = { cores: 1 + pick(8), ...(pick(2) === 0 ? {} : { gpus: pick(5) }) };
        const needs = slots.needsOf(pick(3) === 0 ? undefined : asked);
        if (slots.impossible(needs) === undefined && slots.fits(needs)) held.push({ needs, seat: slots.take(needs) });
        if (pick(2) === 0) {
          const [one] = held.splice(pick(Math.max(held.length, 1)), 1);
          if (one !== undefined) slots.give(one.needs, one.seat);
        }
        const names = held.flatMap(({ seat }) => seat?.accelerators ?? []);
        const bound = held.flatMap(({ seat }) => seat?.cpus ?? []);
        expect(new Set(names).size).toBe(names.length);
        expect(new Set(bound).size).toBe(bound.length);
        for (const { needs: has, seat } of held) expect(seat?.accelerators?.length).toBe(has.gpus);
      }
      for (const { needs, seat } of held) slots.give(needs, seat);
      for (let rank = 0; rank < 4; rank++) expect(slots.take(slots.needsOf(undefined))?.accelerators).toHaveLength(1);
    }
  });
});

describe("a task is told its seat", () => {
  const seat = { ranks: [1], cpus: [2, 3], accelerators: ["b"] };

  test("in the variables of every maker and of OpenMP", () => {
    const env: { [name: string]: string } = { CUDA_VISIBLE_DEVICES: "a,b", HIP_VISIBLE_DEVICES: "0" };
    describeSeat(env, undefined, seat, undefined);
    expect(env).toEqual({
      PARSL_WORKER_RANK: "1",
      OMP_NUM_THREADS: "2",
      GOMP_CPU_AFFINITY: "2,3",
      KMP_AFFINITY: "explicit,proclist=[2,3]",
      CUDA_VISIBLE_DEVICES: "b",
      CUDA_DEVICE_ORDER: "PCI_BUS_ID",
      ROCR_VISIBLE_DEVICES: "b",
      ZE_AFFINITY_MASK: "b",
      ZE_ENABLE_PCI_ID_DEVICE_ORDER: "1",
    });
  });

  test("without CUDA's variable on AMD's, where it would count a second time", () => {
    const env: { [name: string]: string } = { CUDA_VISIBLE_DEVICES: "0" };
    describeSeat(env, undefined, seat, "amd");
    expect(env.ROCR_VISIBLE_DEVICES).toBe("b");
    expect(env.CUDA_VISIBLE_DEVICES).toBeUndefined();
  });

  test("keeps its own word about threads, but not about accelerators", () => {
    const own = { OMP_NUM_THREADS: "7", CUDA_VISIBLE_DEVICES: "a" };
    const env: { [name: string]: string } = { ...own };
    describeSeat(env, own, seat, "nvidia");
    expect(env).toMatchObject({ OMP_NUM_THREADS: "7", CUDA_VISIBLE_DEVICES: "b" });
  });
});
