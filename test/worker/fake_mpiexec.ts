/** An mpiexec that starts its ranks side by side on this machine, and nothing else. */

/** Speaks of itself as MPICH does. Ends with the worst code; TERM ends its ranks. */
export const mpiexec = `#!/bin/sh
if [ "$1" = --version ]; then echo "HYDRA build details:"; exit 0; fi
while [ $# -gt 0 ]; do
  case $1 in
    -n) count=$2; shift 2 ;;
    -ppn | -bind-to | -hosts) shift 2 ;;
    -prepend-rank) label=1; shift ;;
    *) break ;;
  esac
done
trap 'kill $pids; exit 143' TERM
i=0
while [ $i -lt $count ]; do
  PMI_RANK=$i "$@" & pids="$pids $!"; i=$((i + 1))
done
worst=0
for pid in $pids; do wait $pid || worst=$?; done
exit $worst
`;
