/**
 * The site's launcher → the words that start one rank of a program on each place of its piece of the block
 * (providers.md §2.8, §13). Pure data: one entry per launcher. The words hold no blank and nothing that a shell reads,
 * so that a script can say `$GC_MPI_PREFIX ./app` without quotes.
 */

/** How a launcher wants to be spoken to. `mpiexec` and `mpirun` are several programs with one name. */
export type LauncherKind = "srun" | "openmpi" | "hydra" | "pals" | "jsrun" | "aprun";

/** A launcher as it was found on this node. */
export interface MpiLauncher {
  readonly kind: LauncherKind;
  /** Its name, found by PATH. */
  readonly program: string;
  /** First part of its version, where that matters. */
  readonly major?: number;
  /** srun: how ranks find each other, where the site's own default is not to. */
  readonly mpi?: string;
}

/** The part of a block that a program has to itself, and how it fills it. */
export interface Piece {
  /** Names of its nodes as the launcher knows them, each once. */
  readonly hosts: readonly string[];
  readonly ranks: number;
  readonly ranks_per_node: number;
  /** Cores of each rank. */
  readonly cores: number;
  /** Cores of a node; fewer than its ranks need is allowed, and then they share. */
  readonly node_cores: number;
  /** On each node, where it asked for some. */
  readonly gpus: number;
  readonly label: boolean;
  /** Names the program where the launcher has names for what it runs. */
  readonly name: string;
  /** The hosts as a file, in the form of `hostLines`. */
  readonly hostfile: string;
  readonly options: readonly string[];
  /** On this one machine, without any scheduler. */
  readonly local: boolean;
}

/** Beyond so many hosts a file names them: command lines have an end (radical.pilot, providers.md §2.8). */
const hostsInWords = 42;

/** The words, without the program that each rank is. */
export function launchWords(launcher: MpiLauncher, piece: Piece): string[] {
  const own = forms[launcher.kind](piece, launcher);
  return [launcher.program, ...own, ...piece.options];
}

const forms: { readonly [kind in LauncherKind]: (piece: Piece, launcher: MpiLauncher) => string[] } = {
  /**
   * `--exact --overlap --mem=0`: the steps of the worker and of other programs hold nothing back from this one, and it
   * leaves them theirs; without `--mem=0` it would take all memory of the block, or wait for it (seen on 22.05).
   */
  srun: (piece, { mpi }) => [
    `--nodes=${piece.hosts.length}`,
    `--ntasks=${piece.ranks}`,
    `--ntasks-per-node=${piece.ranks_per_node}`,
    `--nodelist=${hostWord(piece)}`,
    ...["--exact", "--overlap", "--mem=0", `--cpus-per-task=${piece.cores}`],
    ...(shared(piece) ? ["--overcommit"] : []),
    ...(piece.gpus > 0 ? [`--gpus-per-node=${piece.gpus}`] : []),
    ...(mpi === undefined ? [] : [`--mpi=${mpi}`]),
    ...["--kill-on-bad-exit=1", "--wait=0", "--export=ALL", `--job-name=${piece.name}`],
    ...(piece.label ? ["--label"] : []),
  ],

  openmpi: (piece, { major }) => [
    ...["-np", String(piece.ranks)],
    ...(piece.local ? [] : ["--hostfile", piece.hostfile]),
    ...["--map-by", `ppr:${piece.ranks_per_node}:node`, "--bind-to", "none"],
    ...(piece.local || shared(piece) ? ["--oversubscribe"] : []),
    ...(tagsPieces({ kind: "openmpi", major }) ? ["--tag-output"] : piece.label ? ["--output", "tag"] : []),
  ],

  hydra: (piece) => [
    ...["-n", String(piece.ranks), "-ppn", String(piece.ranks_per_node)],
    ...(piece.local ? [] : few(piece) ? ["-hosts", piece.hosts.join(",")] : ["-f", piece.hostfile]),
    ...["-bind-to", "none"],
    ...(piece.label ? ["-prepend-rank"] : []),
  ],

  pals: (piece) => [
    ...["-n", String(piece.ranks), "--ppn", String(piece.ranks_per_node)],
    ...(few(piece) ? ["--hosts", piece.hosts.join(",")] : ["--hostfile", piece.hostfile]),
    ...(shared(piece) ? ["--cpu-bind", "none"] : ["--depth", String(piece.cores), "--cpu-bind", "depth"]),
    "--line-buffer",
    ...(piece.label ? ["--label"] : []),
  ],

  /** It cannot name hosts but in a file of explicit resources (ERF). */
  jsrun: (piece) => ["--erf_input", piece.hostfile, ...(piece.label ? ["--stdio_mode", "prepended"] : [])],

  /** Two of them cannot share a node, and nodes are numbers: `nid00012` is 12. */
  aprun: (piece) => [
    ...["-n", String(piece.ranks), "-N", String(piece.ranks_per_node)],
    ...["-L", piece.hosts.map((host) => host.replace(/^nid0*(?=\d)/, "")).join(",")],
    ...(shared(piece) ? ["-cc", "none"] : ["-d", String(piece.cores), "-cc", "depth"]),
  ],
};

/** Whether it passes output on in pieces that have to be put together again (`whole_lines.ts`). */
export function tagsPieces({ kind, major = 4 }: { kind: LauncherKind; major?: number | undefined }): boolean {
  return kind === "openmpi" && major < 5;
}

/** What the file of hosts holds. `block_hosts`: all of the block, in the order in which jsrun counts them. */
export function hostLines(kind: LauncherKind, piece: Piece, block_hosts: readonly string[]): string[] {
  if (kind === "openmpi") return piece.hosts.map((host) => `${host} slots=${piece.ranks_per_node}`);
  if (kind === "jsrun") return erfLines(piece, block_hosts);
  return [...piece.hosts];
}

/** Ranks share cores when a node has fewer than they need. */
function shared({ ranks_per_node, cores, node_cores }: Piece): boolean {
  return ranks_per_node * cores > node_cores;
}

function few({ hosts }: Piece): boolean {
  return hosts.length <= hostsInWords;
}

/** srun takes a word with a slash in it for the name of a file. */
function hostWord(piece: Piece): string {
  return few(piece) ? piece.hosts.join(",") : piece.hostfile;
}

/** Hosts are counted from 1, and logical numbers are the ones that work everywhere (providers.md §5.8). */
function erfLines({ hosts, ranks_per_node, cores, gpus }: Piece, block_hosts: readonly string[]): string[] {
  const lines = ["cpu_index_using: logical", "overlapping-rs: warn"];
  const lent = gpus > 0 ? ` gpu: {0-${gpus - 1}};` : "";
  for (const [at, host] of hosts.entries()) {
    const number = block_hosts.indexOf(host) + 1 || at + 1;
    for (let local = 0; local < ranks_per_node; local++) {
      const cpu = `{${local * cores}-${(local + 1) * cores - 1}}`;
      lines.push(`rank: ${at * ranks_per_node + local}: { host: ${number}; cpu: ${cpu};${lent} }`);
    }
  }
  return lines;
}
