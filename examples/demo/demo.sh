#!/usr/bin/env bash
# From text to a verified 2-bit model: pre-train in full precision, go on in several arms at equal steps, compare, export
# the best arm and prove that the file holds what was trained. Everything goes to ./demo. Called by ./run demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
detent="$PWD/build/release/detent"
base=examples/demo/base.yaml
pretrain_steps="${DETENT_DEMO_PRETRAIN:-750}"
steps="${DETENT_DEMO_STEPS:-220}"
rate=1e-3
seeds=(0 1 2)
SECONDS=0

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Python's own library is real text that every such machine has. Each file goes to one side: every twelfth to validation.
take_text() {
  local library
  library="$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_paths()["stdlib"])')"
  mkdir -p demo/text/train demo/text/valid
  find "$library" -name '*.py' -not -path '*/test/*' -not -path '*/site-packages/*' -not -path '*/dist-packages/*' | LC_ALL=C sort |
    awk -v root="$library/" '{ flat = substr($0, length(root) + 1); gsub("/", "__", flat)
      print (NR % 12 == 0 ? "valid" : "train") "/" flat "\t" $0 }' |
    while IFS=$'\t' read -r name file; do cp "$file" "demo/text/$name"; done
}

# Jobs are (run, settings); two of them run at a time, one core each. Those of the first lane show their progress.
jobs=()
arm() {  # name steps settings...: one job a seed
  local name="$1" arm_steps="$2" seed
  shift 2
  for seed in "${seeds[@]}"; do
    jobs+=("$name-$seed train.steps=$arm_steps train.seed=$seed output=demo/runs/$name-$seed $*")
  done
}

run_job() {  # "run setting setting ..."
  local run words arguments=(train "$base") setting
  read -r -a words <<<"$1"
  run="${words[0]}"
  for setting in "${words[@]:1}"; do arguments+=(--set "$setting"); done
  if [ "$2" = shown ]; then "$detent" "${arguments[@]}"
  else "$detent" "${arguments[@]}" >"demo/logs/$run.log" 2>&1 || { cat "demo/logs/$run.log" >&2; return 1; }
  fi
}

lane() {  # first index, shown or hidden: every second job
  local i
  for ((i = $1; i < ${#jobs[@]}; i += 2)); do run_job "${jobs[$i]}" "$2"; done
}

run_jobs() {
  lane 1 hidden &
  local other=$!
  lane 0 shown
  wait "$other"
}

entry() {  # name run seed bits role file_bytes note -> one object of arms.json
  printf '%s  {"name": "%s", "run": "runs/%s", "seed": %s, "bits": %s, "role": "%s", "note": "%s"%s}' \
    "$comma" "$1" "$2" "$3" "$4" "$5" "$7" "${6:+, \"file_bytes\": $6}" >>demo/arms.json
  comma=$',\n'
}

# The size an arm has as a file: exported where a target holds it.
file_size() {  # run target
  "$detent" export "demo/runs/$1" --to "$2" --out "demo/files/$1.gguf" >/dev/null
  stat -c %s "demo/files/$1.gguf"
}

from="model.from=demo/runs/pretrain"
tune=("optimizer.learning_rate=$rate" schedule.name=constant schedule.warmup=0.02)
two_bit=(quant.preset=q2_0)

title "1/5 Text: the source of Python's standard library, as bytes, split by file"
rm -rf demo
mkdir -p demo/logs demo/files
take_text
echo "$(find demo/text/train -type f | wc -l) files to train on, $(find demo/text/valid -type f | wc -l) to validate on, $(du -sh demo/text | cut -f1)"

title "2/5 Pre-training in full precision, $pretrain_steps steps"
"$detent" train "$base" --set "train.steps=$pretrain_steps" --set train.threads=2

title "3/5 From that checkpoint, $steps steps an arm, seeds ${seeds[*]}, constant learning rate; 2-bit arms on the grid of GGUF q2_0"
# An arm takes its shape from the checkpoint and its schedule from the command line.
sed -e '/^model:/,/^data:/{/^data:/!d}' -e '/^schedule:/d' "$base" >demo/arms.yaml
base=demo/arms.yaml
arm control "$steps" "$from" "${tune[@]}"
arm rounding 0 "$from" "${two_bit[@]}"
arm ste "$steps" "$from" "${tune[@]}" "${two_bit[@]}"
arm cage "$steps" "$from" "${tune[@]}" "${two_bit[@]}" cage.pull=0.06 cage.start=0.5
arm winq "$steps" "$from" "${tune[@]}" "${two_bit[@]}" "winq.every=$((steps / 3))" winq.interpolation=0.4 winq.noise=1e-3
arm blending "$steps" "$from" "${tune[@]}" "${two_bit[@]}" alpha_blending.end=0.8
arm annealed "$steps" "$from" "optimizer.learning_rate=$rate" schedule.name=linear schedule.warmup=0.02 schedule.final=0 "${two_bit[@]}"
run_jobs

title "4/5 What it comes to"
comma=""
echo "[" >demo/arms.json
float_size="$(file_size "control-${seeds[0]}" gguf:f32)"
size="$(file_size "ste-${seeds[0]}" gguf:q2_0)" # the same for every 2-bit arm: one shape, one grid
for seed in "${seeds[@]}"; do
  entry "full precision" "control-$seed" "$seed" 32 control "$float_size" "the same steps without quantization"
  entry "rounding, no training" "rounding-$seed" "$seed" 2 rounding "$size" ""
  entry "straight-through" "ste-$seed" "$seed" 2 baseline "$size" "learned steps"
  entry "+ CAGE" "cage-$seed" "$seed" 2 arm "$size" ""
  entry "+ WinQ" "winq-$seed" "$seed" 2 arm "$size" ""
  entry "alpha-blending" "blending-$seed" "$seed" 2 arm "$size" ""
  entry "straight-through, annealed" "annealed-$seed" "$seed" 2 arm "$size" "learning rate to zero: the honest arm"
done
printf '\n]\n' >>demo/arms.json
"$detent" report demo/arms.json --table --out demo/report.html

title "5/5 The best arm as a file, and the proof"
best="$(for run in ste cage winq blending annealed; do
  printf '%s %s\n' "$(tail -n 1 "demo/runs/$run-0/log.jsonl" | grep -o '"validation_loss":[0-9.]*' | cut -d: -f2)" "$run-0"
done | sort -n | head -n 1 | cut -d' ' -f2)"
"$detent" export "demo/runs/$best" --to gguf:q2_0 --out demo/model.gguf
"$detent" verify demo/model.gguf --against "demo/runs/$best" | tail -n 3
"$detent" export "demo/runs/$best" --to safetensors:dequantized --out demo/model-float >/dev/null
"$detent" verify demo/model-float --against "demo/runs/$best" | tail -n 3
echo "demo/model.gguf: $(stat -c %s demo/model.gguf) bytes; in full precision $(stat -c %s demo/files/control-0.gguf)"
echo
"$detent" generate demo/model.gguf --prompt "def " --tokens 160 --temperature 0.7 --seed 1

title "Done in $((SECONDS / 60))m$((SECONDS % 60))s. Open demo/report.html for the curves."
