#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Opens a waveform and its save file in GTKWave on a virtual display; keeps a picture for a person to look at.
#   gtkwave_opens.sh MEMWALL MODEL OUTPUT_DIRECTORY
set -u
memwall=$1 model=$2 out=$3
for tool in gtkwave xvfb-run import convert; do
  command -v $tool >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 0; }
done
rm -rf "$out" && mkdir -p "$out" || exit 1
"$memwall" run --platform von_neumann_h100 --model "$model" --context 256 --dtype int4g32/fp16/fp16 --vcd='layers.1.*' --out "$out" --quiet || exit 1
cd "$out" || exit 1
timeout 60 xvfb-run -a -s '-screen 0 1600x900x24' bash -c '
  gtkwave waves.vcd waves.gtkw >gtkwave.log 2>&1 & viewer=$!
  for i in $(seq 1 20); do
    sleep 1
    grep -q "end time" gtkwave.log && sleep 2 && break
  done
  kill -0 $viewer || exit 1
  import -window root waves.png
  kill $viewer' || { echo "GTKWave did not stay up"; cat gtkwave.log; exit 1; }
grep -q 'end time' gtkwave.log || { echo "GTKWave did not read the dump"; cat gtkwave.log; exit 1; }
if grep -qiE 'error|could not|unknown' gtkwave.log; then cat gtkwave.log; exit 1; fi
# A black or plain window would have a handful of colours.
colours=$(convert waves.png -format '%k' info:)
echo "picture: $out/waves.png, $colours colours"
[ "$colours" -gt 50 ]
