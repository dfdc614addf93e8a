#!/bin/bash
#BSUB -J gc0a1b2c3d4e5f
#BSUB -o /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out.scheduler
#BSUB -e /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err.scheduler
#BSUB -W 1:00
#BSUB -n 32
#BSUB -R "select[type==any] rusage[mem=2048MB] span[ptile=16]"
#BSUB -gpu "num=2/host"

# Block gc0a1b2c3d4e5f: one worker on each of 2 nodes.
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
# Submitted by: /usr/bin/bsub < block.sh
