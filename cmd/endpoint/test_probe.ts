/**
 * What `gc endpoint test` runs on a compute node: a script that looks around and prints what it sees, line by line, and
 * the reading of those lines. It changes nothing and needs nothing but a POSIX shell.
 */

/** How the worker's node looks from inside a task. */
export interface NodeReport {
  readonly hostname: string;
  readonly system: string;
  /** That a process may run on. */
  readonly cores: number;
  /** That processes of this block may use. */
  readonly memory_mib: number;
  readonly pythons: readonly { readonly version: string; readonly path: string }[];
  /** Whether `module` is there: for worker_init as it is, only after a login shell's files were read, or not. */
  readonly modules: "yes" | "login" | "no";
  readonly gpus: readonly string[];
  /** Free space of the directory for temporary files. */
  readonly tmp_free_mib: number | undefined;
  /** Where the worker's connection to the endpoint leads; undefined when it is none of TCP. */
  readonly address: string | undefined;
  readonly clock_s: number;
}

/** The script. `port`: where the endpoint listens for workers, if it does. */
export function probeScript(port: number | undefined): string {
  const hex = port === undefined ? "" : port.toString(16).toUpperCase().padStart(4, "0");
  return script.replace("@PORT@", hex);
}

const script = `say() { printf '%s=%s\\n' "$1" "$2"; }
say clock "$(date +%s)"
say hostname "$(hostname 2>/dev/null || uname -n)"
say system "$(uname -srm)"
say cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
say memory_kib "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
group=$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)
while [ -n "$group" ]; do
  [ -r "/sys/fs/cgroup$group/memory.max" ] && say memory_max "$(cat "/sys/fs/cgroup$group/memory.max")"
  group=\${group%/*}
done
for name in python3 python python3.7 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14; do
  path=$(command -v "$name" 2>/dev/null) || continue
  version=$("$path" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null </dev/null) || continue
  say python "$version $path"
done
if bash -c 'type module' >/dev/null 2>&1 </dev/null; then say modules yes
elif bash -lc 'type module' >/dev/null 2>&1 </dev/null; then say modules login
else say modules no
fi
if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null </dev/null | sed 's/^/gpu=/'
else
  for device in /dev/nvidia[0-9]*; do [ -e "$device" ] && say gpu "NVIDIA ($device)"; done
fi
for node in /sys/class/kfd/kfd/topology/nodes/*/gpu_id; do
  [ -r "$node" ] && [ "$(cat "$node")" != 0 ] && say gpu AMD
done
say tmp_free_kib "$(df -Pk "\${TMPDIR:-/tmp}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
port=@PORT@
[ -n "$port" ] && cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  awk -v port="$port" '$4 == "01" { split($3, far, ":"); if (far[2] == port) print "peer=" far[1] }'
exit 0
`;

/** Reads what the script printed; undefined when it did not come to its end. */
export function readProbe(output: string): NodeReport | undefined {
  const found = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) found.set(line.slice(0, at), [...(found.get(line.slice(0, at)) ?? []), line.slice(at + 1).trim()]);
  }
  const all = (key: string): string[] => (found.get(key) ?? []).filter((value) => value !== "");
  const [hostname] = all("hostname");
  const [modules = "no"] = all("modules");
  if (hostname === undefined || !found.has("tmp_free_kib")) return undefined;
  const limits_kib = all("memory_max")
    .filter((text) => /^\d+$/.test(text))
    .map((bytes) => Number(bytes) / 1024);
  const pythons = all("python").map((text) => ({ version: before(text), path: text.slice(before(text).length + 1) }));
  const tmp_kib = Number(all("tmp_free_kib")[0] ?? Number.NaN);
  return {
    hostname,
    system: all("system")[0] ?? "",
    cores: Number(all("cores")[0] ?? 0),
    memory_mib: Math.floor(Math.min(Number(all("memory_kib")[0] ?? 0), ...limits_kib) / 1024),
    pythons: pythons.filter(({ path }, i) => pythons.findIndex((one) => one.path === path) === i),
    modules: modules === "yes" || modules === "login" ? modules : "no",
    gpus: all("gpu"),
    tmp_free_mib: Number.isFinite(tmp_kib) ? Math.floor(tmp_kib / 1024) : undefined,
    address: all("peer").map(addressOf)[0],
    clock_s: Number(all("clock")[0] ?? 0),
  };
}

function before(text: string): string {
  return text.split(" ", 1)[0] ?? "";
}

/** The kernel prints addresses as words of 32 bits in the machine's order, which is little-endian wherever gc runs. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)));
  const mapped = bytes.length === 16 && bytes.slice(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 255));
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}
