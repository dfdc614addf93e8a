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
GC_HOSTS=$GC_BLOCK_DIR/hosts
scontrol show hostnames "$SLURM_JOB_NODELIST" >"$GC_HOSTS"

gc_pid=
trap ':' TERM INT USR1 USR2
gc_launch() {
  exec mpirun -np 2 --hostfile "$GC_HOSTS" --map-by ppr:1:node --bind-to none /bin/bash /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/node.sh
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
