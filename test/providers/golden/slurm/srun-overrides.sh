#!/bin/bash
#SBATCH --job-name=gc0a1b2c3d4e5f
#SBATCH --output=/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out
#SBATCH --error=/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err
#SBATCH --open-mode=append
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --time=60
#SBATCH --no-requeue
#SBATCH --no-kill

# Block gc0a1b2c3d4e5f: one worker on each of 2 nodes.
export GC_BLOCK=gc0a1b2c3d4e5f
GC_BLOCK_DIR=/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f
cd "$GC_BLOCK_DIR" || exit 13

gc_pid=
trap ':' TERM INT USR1 USR2
gc_launch() {
  exec srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --overlap --mem=0 --cpus-per-task="$SLURM_CPUS_ON_NODE" --cpu-bind=none --kill-on-bad-exit=0 --wait=0 --no-kill --export=ALL -c 128 --mpibind=off /bin/bash /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/node.sh
}
gc_launch &
gc_pid=$!
wait "$gc_pid"
gc_code=$?
while kill -0 "$gc_pid" 2>/dev/null; do
  wait "$gc_pid"
  gc_code=$?
done
echo "$gc_code" >"$GC_BLOCK_DIR/exit_code.new"
mv "$GC_BLOCK_DIR/exit_code.new" "$GC_BLOCK_DIR/exit_code"
exit "$gc_code"
# Submitted by: /usr/bin/sbatch --parsable /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.sh
