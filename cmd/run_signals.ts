/**
 * Signals to an attached run (ecosystem.md §1.5). Ctrl-C: the first interrupts the task, the second cancels it, the
 * third leaves it alone. TERM cancels. HUP, the end of an ssh session, leaves it running, and so does Ctrl-\.
 */
import type { Cli } from "./cli.ts";

export interface Steps {
  interrupt(): void;
  cancel(): void;
  /** Leaves the task to itself and exits with this code. */
  leave(code: number): void;
  terminate(): void;
  /** Whether the endpoint has the task, so that a signal can reach it. */
  started(): boolean;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export class Interrupts {
  private count = 0;
  private readonly cli: Cli;
  private readonly steps: Steps;
  private readonly leaveAtOnce: boolean;
  private readonly handlers = signals.map((signal) => [signal, () => this.take(signal)] as const);

  constructor(cli: Cli, steps: Steps, leaveAtOnce: boolean) {
    this.cli = cli;
    this.steps = steps;
    this.leaveAtOnce = leaveAtOnce;
    for (const [signal, handler] of this.handlers) process.on(signal, handler);
  }

  close(): void {
    for (const [signal, handler] of this.handlers) process.off(signal, handler);
  }

  private take(signal: (typeof signals)[number]): void {
    if (signal === "SIGHUP") return this.steps.leave(129);
    if (signal === "SIGQUIT") return this.steps.leave(131);
    if (signal === "SIGTERM") return this.steps.terminate();
    this.count += 1;
    if (this.leaveAtOnce || this.count >= 3) return this.steps.leave(130);
    if (this.count === 1 && this.steps.started()) {
      this.note("interrupting the task; again to cancel it, a third time to leave it");
      return this.steps.interrupt();
    }
    this.count = 2;
    this.note("cancelling the task; again to leave it");
    this.steps.cancel();
  }

  private note(text: string): void {
    if (this.cli.terminal.stderr) this.cli.printer.note(text);
  }
}
