#!/bin/bash
export GC_BLOCK=gc0a1b2c3d4e5f
exec '/opt/g c/gc' 'it'\''s' '$HOME `id`' 'a
b' ''
