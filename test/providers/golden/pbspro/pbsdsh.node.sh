#!/bin/bash
exec >>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out 2>>/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err
export GC_BLOCK=gc0a1b2c3d4e5f
exec /home/alice/.local/bin/gc __worker /home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/worker
