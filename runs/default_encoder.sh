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

# From the best checkpoint to what ships. INT8 ranges come from chips, kite photographs and a generated world, seen from
# above and as a map; its gate asks a flight over that world for metres.
bundle=$out/default.bundle world=$out/world
python -m export.onnx "$out/best.safetensors" --dim 256 --small --out "$bundle"
python -m train.world "$world" --seed 11
python -m runtime.tiles build --imagery "$world/map.tif" --bundle "$bundle" --out "$out/world.tiles"
python -m calib.int8 --bundle "$bundle" \
  --from "$data/overhead/ucmerced" "$data/photos/boruszyn" "$world/flight" "$out/world.mbtiles"
python -m export.trt --int8 "$bundle" --graph-only --gate "$world/flight" "$out/world.mbtiles"
