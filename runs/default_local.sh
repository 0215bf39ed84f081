#!/usr/bin/env bash
# The local features that ship in the default bundle: about forty minutes on two CPU cores.
#   runs/default_local.sh DATA BUNDLE [OUT]     the bundle is the one that runs/default_encoder.sh made
set -euo pipefail
data=$1 bundle=$2 out=${3:-runs/local}
python -m export.matcher # the teacher of where keypoints are
python -m train.local --only-may-ship --init "$bundle" \
  --data "overhead:$data/overhead" --data "site:$data/photos/boruszyn@0.2" --data world:8 \
  --footprint 35 160 --minutes 32 --amp bf16 --threads 2 --workers 1 --out "$out"
python -m export.local "$out/local.safetensors" --bundle "$bundle"
