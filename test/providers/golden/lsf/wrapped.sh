#!/bin/bash
#BSUB -J gc0a1b2c3d4e5f
#BSUB -o /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out.scheduler
#BSUB -e /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err.scheduler
#BSUB -W 1:00
#BSUB -n 1
#BSUB -R "span[ptile=1]"

# Block gc0a1b2c3d4e5f: one worker on 1 node.
exec >>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out 2>>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err
export GC_BLOCK=gc0a1b2c3d4e5f
GC_BLOCK_DIR=/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f
cd "$GC_BLOCK_DIR" || exit 13

gc_pid=
trap '[ -z "$gc_pid" ] || kill -TERM "$gc_pid" 2>/dev/null' TERM INT USR1 USR2
gc_launch() {
  exec env -i 'A=b c' /bin/bash /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/node.sh
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
