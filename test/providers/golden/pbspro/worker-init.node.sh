#!/bin/bash
export GC_BLOCK=gc0a1b2c3d4e5f
trap 'echo "worker_init ended with exit code $? on $(hostname)" >&2; exit 14' EXIT
# worker_init
module load gcc
export A='it is'
conda activate "my env"
# end of worker_init
trap - EXIT
exec /home/alice/.local/bin/gc __worker /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/worker
