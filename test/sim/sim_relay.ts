/** The relay of the simulated world: production decisions and production store, in memory. */
import { runInTurns, type Turns } from "../../core/host/turn.ts";
import type { RelayEffect, RelayEvent } from "../../core/relay/event.ts";
import { defaultLimits } from "../../core/relay/limits.ts";
import type { Change } from "../../core/relay/mailbox.ts";
import { performEffects } from "../../core/relay/performing.ts";
import { SqliteMailbox } from "../../core/relay/sqlite_mailbox.ts";
import { RelayState } from "../../core/relay/state.ts";
import type { Cast } from "./cast.ts";
import type { Door } from "./network.ts";
import { Died, Life, type World } from "./world.ts";

export class SimRelay {
  door: Door | undefined;
  life: Life;
  mailbox: SqliteMailbox;
  /** How often its disk was lost. */
  losses = -1;
  private readonly world: World;
  private readonly cast: Cast;

  constructor(world: World, cast: Cast) {
    this.world = world;
    this.cast = cast;
    this.life = new Life(world, "relay");
    this.mailbox = this.newStore();
    this.start(this.life);
  }

  /** Dies, and comes back after a while; now and then its disk is gone. */
  crash(loses_disk: boolean): void {
    this.life.die();
    if (loses_disk) this.mailbox = this.newStore();
  }

  private newStore(): SqliteMailbox {
    return new SqliteMailbox({ path: ":memory:", new_epoch: `epoch${++this.losses}` });
  }

  private start(life: Life): void {
    this.life = life;
    const { mailbox } = this;
    const state = new RelayState(mailbox, { ...defaultLimits, free_bytes_min: 0 });
    const host = life.host();
    const at = () => ({ now_ms: host.clock.now(), mono_ms: host.clock.monotonic() });
    let stopTick: () => void = () => {};
    const turns: Turns<RelayEvent> = runInTurns<RelayEvent, Change, RelayEffect>(
      {
        decide: (event, out) => state.decide(event, out),
        keep: (records) => state.keep(records),
        perform: (effects) => {
          performEffects(effects, () => {});
          stopTick();
          const next = state.nextTick(at());
          if (next !== undefined) stopTick = life.after(next + 1, () => turns.push({ kind: "tick", at: at() }));
        },
      },
      life.soon,
      (error) => {
        if (!(error instanceof Died)) throw error;
        life.die();
      },
    );
    const { relay } = this.cast;
    this.door = {
      life,
      epoch: mailbox.epoch,
      self: { role: "relay", id: relay.id, record: relay.record, instance: life.name, local: true },
      admits: () => true,
      events: {
        up: (link) => turns.push({ kind: "up", link, at: at() }),
        messages: (link, messages) => turns.push({ kind: "messages", link, messages, at: at() }),
        down: (link) => {
          if (link !== undefined) turns.push({ kind: "down", link, at: at() });
        },
      },
    };
    life.onDeath(() => {
      this.door = undefined;
      mailbox.rollback();
      this.world.after(this.world.dice.between(50, 8000), () => {
        const next = new Life(this.world, "relay", life.skew_ms);
        next.survive(() => this.start(next));
      });
    });
  }
}
