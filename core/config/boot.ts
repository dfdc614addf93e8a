/**
 * Texts that make a machine start an endpoint when it boots: a systemd user unit, or lines of a crontab. Pure; written
 * and withdrawn by `cmd/boot.ts`.
 */

/** How to start the endpoint at boot. */
export interface BootEntry {
  readonly name: string;
  /** The command that starts gc. */
  readonly self: readonly string[];
  readonly home: string;
  readonly hostname: string;
}

/** Name of the unit of the endpoint `name`. */
export function unitName(name: string): string {
  return `gc-endpoint-${name}.service`;
}

/**
 * The systemd user unit. `KillMode=process`: workers and their tasks outlive a restart of the endpoint and are adopted.
 * `ConditionHost`: a home folder shared by several login nodes has one owner of the unit (ecosystem.md §1.7). Exit
 * codes that a restart cannot heal end the attempts.
 */
export function unitText({ name, self, home, hostname }: BootEntry): string {
  const start = [...self, "endpoint", "start", name].map(unitWord).join(" ");
  return `# Written by gc endpoint enable ${name}; withdrawn by gc endpoint disable ${name}.
[Unit]
Description=gc endpoint ${name}
ConditionHost=${hostname.replaceAll("%", "%%")}
StartLimitIntervalSec=0

[Service]
Type=simple
Environment=${unitWord(`GC_HOME=${home}`)}
ExecStart=${start}
KillMode=process
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=64 65 66 69 73 77 78

[Install]
WantedBy=default.target
`;
}

/** A crontab with the line of this endpoint in it, once. */
export function withCronLine(crontab: string, entry: BootEntry): string {
  const start = [
    `GC_HOME=${shellWord(entry.home)}`,
    ...[...entry.self, "endpoint", "start", "--detach", entry.name].map(shellWord),
  ];
  // In a crontab % is the end of the line unless escaped (crontab(5)).
  const line = `@reboot ${start.join(" ").replaceAll("%", "\\%")} >/dev/null 2>&1 ${cronMark(entry.name)}`;
  const rest = withoutCronLine(crontab, entry.name);
  return `${rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`}${line}\n`;
}

/** A crontab without the line of this endpoint. */
export function withoutCronLine(crontab: string, name: string): string {
  const lines = crontab.split("\n").filter((line) => !line.endsWith(cronMark(name)));
  return lines.join("\n");
}

/** Whether a crontab has the line of this endpoint. */
export function hasCronLine(crontab: string, name: string): boolean {
  return crontab.split("\n").some((line) => line.endsWith(cronMark(name)));
}

function cronMark(name: string): string {
  return `# gc-endpoint ${name}`;
}

/** One word of a unit file: quoted, with what systemd would expand written twice (systemd.service(5)). */
function unitWord(word: string): string {
  const escaped = word.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_./=:@-]+$/.test(word) ? word : `"${escaped}"`;
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./=:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
