/**
 * Links of the simulated world, over the production memory link: every frame takes its time, a link breaks whenever a
 * fault says so, and whoever wants to talk connects again. A partition swallows one direction until the link is cut.
 */
import { GcError } from "../../core/errors.ts";
import type { KeptLink, Link, LinkEvents, Peer } from "../../core/wire/link.ts";
import { memoryLink } from "../../core/wire/memory_link.ts";
import type { Life, World } from "./world.ts";

/** What can be connected to. */
export interface Door {
  life: Life;
  epoch: string;
  self: Peer;
  events: LinkEvents;
  /** Whether this peer may come in. */
  admits(peer: Peer): boolean;
}

interface Cable {
  between: string;
  cut: (reason: string) => void;
  swallow: "" | "to_acceptor" | "to_opener";
}

/** All links there are. */
export class Network {
  readonly cables = new Set<Cable>();
  /** Longest time a frame takes; faults make it longer for a while. */
  latency_ms = 5;
  healed = false;
  private sessions = 0;
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** A link that comes back for as long as `life` lasts. */
  keep(life: Life, self: Peer, door: () => Door | undefined, events: LinkEvents): KeptLink {
    let link: Link | undefined;
    let stopped = false;
    const tryLater = (): void => {
      const longest_ms = this.healed ? 200 : 4000;
      life.after(this.world.dice.uniform() * longest_ms, connect);
    };
    const own: LinkEvents = {
      up: (up) => {
        link = up;
        events.up(up);
      },
      messages: (from, messages) => events.messages(from, messages),
      down: (down, reason) => {
        if (link === down) link = undefined;
        events.down(down, reason);
        if (!stopped) tryLater();
      },
    };
    const connect = (): void => {
      if (stopped) return;
      const target = door();
      if (target === undefined || !target.life.alive || !target.admits(self)) {
        events.waiting?.(1, new GcError("unavailable", "sim.closed", "Nobody answers"));
        return tryLater();
      }
      this.plug(life, { self, events: own }, target);
    };
    life.after(0, connect);
    return {
      link: () => link,
      stop: () => {
        stopped = true;
        link?.close("stopped");
      },
      retryNow: () => {},
    };
  }

  /** Cuts one link, or makes it swallow one direction before it is cut. */
  hurt(): string {
    const cables = [...this.cables];
    if (cables.length === 0) return "";
    const { dice } = this.world;
    const cable = dice.pick(cables);
    if (cable.swallow !== "" || dice.chance(0.5)) cable.cut("fault");
    else {
      cable.swallow = dice.pick(["to_acceptor", "to_opener"] as const);
      this.world.after(dice.between(100, 20_000), () => cable.cut("silence"));
    }
    return cable.between;
  }

  /** Cuts every link of the process of this name. */
  cutAll(name: string): void {
    for (const cable of [...this.cables]) if (cable.between.split("-").includes(name)) cable.cut("fault");
  }

  private plug(life: Life, opener: { self: Peer; events: LinkEvents }, door: Door): void {
    const last = { to_acceptor: 0, to_opener: 0 };
    const cable: Cable = { between: `${life.name}-${door.life.name}`, cut: () => {}, swallow: "" };
    const twice = (): boolean => !this.healed && this.world.dice.chance(0.01);
    const pair = memoryLink(
      { self: opener.self, events: guarded(life, opener.events, twice) },
      { self: door.self, events: guarded(door.life, door.events, twice) },
      {
        session: `s${this.sessions++}`,
        epoch: door.epoch,
        carry: (direction, bytes, arrive) => {
          if (bytes > 0 && cable.swallow === direction) return;
          const at_ms = Math.max(last[direction], this.world.now_ms + this.world.dice.uniform() * this.latency_ms);
          last[direction] = at_ms;
          this.world.after(at_ms - this.world.now_ms, arrive);
        },
      },
    );
    cable.cut = (reason) => {
      this.cables.delete(cable);
      pair.cut(reason);
    };
    this.cables.add(cable);
    for (const end of [life, door.life]) end.onDeath(() => cable.cut("process died"));
  }
}

/** Events reach a process only while it lives; messages now and then twice, for everything may be sent twice. */
function guarded(life: Life, events: LinkEvents, twice: () => boolean): LinkEvents {
  const ifAlive = (act: () => void): void => {
    if (life.alive) life.survive(act);
  };
  return {
    up: (link) => ifAlive(() => events.up(link)),
    messages: (link, messages) => {
      ifAlive(() => events.messages(link, messages));
      if (twice()) ifAlive(() => events.messages(link, messages));
    },
    down: (link, reason) => ifAlive(() => events.down(link, reason)),
  };
}
