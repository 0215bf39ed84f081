#!/usr/bin/env bash
# The encoder that ships, from pictures to bundle: about an hour and a half on two CPU cores.
#   runs/default_encoder.sh DATA [OUT]     DATA holds overhead/ and photos/ (docs/accuracy.md says which)
set -euo pipefail
data=$1 out=${2:-runs/default}
python -m train.run --preset edge --only-may-ship \
  --data "overhead:$data/overhead" --data "site:$data/photos/boruszyn@0.2" --data world:8 \
  --footprint 40 140 --quilt 0.6 --beside \
  --dim 512 --matryoshka 256,128 --side 224 --warm-side 160 --warm-part 0.6 \
  --batch 48 --hard-every 4 --lr 4e-4 --ema 0.995 --minutes 72 \
  --amp bf16 --threads 2 --workers 1 --eval-every 150 --save-every 50 --out "$out"
