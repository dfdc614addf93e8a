#!/bin/bash
#PBS -N gc0a1b2c3d4e5f
#PBS -S /bin/bash
#PBS -o /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out.scheduler
#PBS -e /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err.scheduler
#PBS -l nodes=1:ppn=1
#PBS -l walltime=1:01:41
#PBS -r n
#PBS -m n

# Block gc0a1b2c3d4e5f: one worker on 1 node.
exec >>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out 2>>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err
export GC_BLOCK=gc0a1b2c3d4e5f
GC_BLOCK_DIR=/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f
cd "$GC_BLOCK_DIR" || exit 13

gc_pid=
trap '[ -z "$gc_pid" ] || kill -TERM "$gc_pid" 2>/dev/null' TERM INT USR1 USR2
gc_launch() {
  exec /bin/bash /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/node.sh
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
# Submitted by: /usr/bin/qsub /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.sh
