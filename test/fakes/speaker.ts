/** What makes one fake scheduler differ from another: its commands, what a job of it finds around, how it ends one. */
import type { Job, Queue } from "./queue.ts";

export interface Call {
  readonly queue: Queue;
  readonly args: readonly string[];
  readonly stdin: () => string;
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
}

export interface Reply {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A signal, so long after the one before. */
export interface Step {
  readonly after_s: number;
  readonly signal: NodeJS.Signals;
}

/** How a job is run on its first node. */
export interface Run {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
  readonly umask: number;
  /** Files that grow while it runs; undefined: they come at the end. */
  readonly live: boolean;
}

export interface Speaker {
  readonly commands: { readonly [name: string]: (call: Call) => Reply };
  /** Its own command that starts something on the nodes of a job. */
  readonly launcher?: string;
  readonly run: (job: Job, queue: Queue) => Run;
  /** What becomes of the files of a job that is over. */
  readonly after?: (job: Job, queue: Queue, output: { readonly stdout: string; readonly stderr: string }) => void;
  /** What is sent to all processes of a job. */
  readonly deleted: (job: Job) => readonly Step[];
  readonly killed: readonly Step[];
  readonly over_time: (job: Job) => readonly Step[];
}

export function said(stdout: string, code = 0): Reply {
  return { code, stdout, stderr: "" };
}

export function failed(code: number, stderr: string, stdout = ""): Reply {
  return { code, stdout, stderr };
}

/** What a job has from the account of its owner; the marks by which tests find their processes come along. */
export function accountEnv(job: Job): { [name: string]: string } {
  const marks = Object.entries(job.env).filter(([name]) => /^(E2E_WORLD|TEST_FILE_ID)$/.test(name));
  return {
    HOME: job.env.HOME ?? "/",
    USER: job.owner,
    LOGNAME: job.owner,
    SHELL: "/bin/bash",
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...Object.fromEntries(marks),
  };
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const two = (value: number): string => String(value).padStart(2, "0");

/** `Mon Nov 23 06:29:23`, as all of them write it with TZ=UTC. */
export function ctime(time_ms: number): string {
  const at = new Date(time_ms);
  const clock = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":");
  const day = String(at.getUTCDate()).padStart(2, " ");
  return `${days[at.getUTCDay()]} ${months[at.getUTCMonth()]} ${day} ${clock}`;
}

export function ctimeWithYear(time_ms: number): string {
  return `${ctime(time_ms)} ${new Date(time_ms).getUTCFullYear()}`;
}

/** `00:05:00` */
export function clockOf(seconds: number): string {
  const whole = Math.floor(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60].map(two).join(":");
}
