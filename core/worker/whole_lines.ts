/**
 * Open MPI's mpiexec passes the output of ranks on in pieces of 4096 bytes, so that busy ranks cut each other's lines
 * (seen with 4.1: 137 of 12000). With `--tag-output` each piece says whose it is: here they are put together again.
 * Both texts are files in the folder of the program; a script can put the first before the launcher's words.
 */

/** Runs the launcher that its words name, with both streams made whole. It outlives TERM, so that nothing is lost. */
export const launchScript = `dir=\${0%/*}
out=$dir/out.$$ err=$dir/err.$$
mkfifo -m 600 "$out" "$err" || exec "$@"
case $(awk -W version 2>&1 </dev/null) in mawk*) now="-W interactive" ;; *) now= ;; esac
trap '' TERM INT HUP QUIT
awk $now -f "$dir/whole.awk" <"$out" &
first=$!
awk $now -f "$dir/whole.awk" <"$err" >&2 &
second=$!
trap : TERM INT HUP QUIT
"$@" >"$out" 2>"$err"
code=$?
wait $first; wait $second
rm -f "$out" "$err"
exit "$code"
`;

/** `[1,RANK]<stdout>:` begins each piece and each line; what has none is the launcher's own. */
export function wholeLinesProgram(label: boolean): string {
  const said = label ? 'rank ": " ' : "";
  return `{
  rest = $0; rank = ""
  while (match(rest, /\\[[0-9]+,[0-9]+\\]<std(out|err)>:/)) {
    before = substr(rest, 1, RSTART - 1)
    tag = substr(rest, RSTART + 1, RLENGTH - 1)
    rest = substr(rest, RSTART + RLENGTH)
    if (rank != "") part[rank] = part[rank] before
    else if (before != "") print before
    rank = tag
    sub(/^[0-9]+,/, "", rank)
    sub(/\\].*/, "", rank)
  }
  if (rank == "") print rest
  else { print ${said}part[rank] rest; delete part[rank] }
  fflush()
}
END { for (rank in part) if (part[rank] != "") print ${said}part[rank] }
`;
}
