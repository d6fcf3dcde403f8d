#!/usr/bin/env bash
# Fine-tuning a trained model onto 4 and 2 bits: every arm of docs/finetuning.md, three seeds each, and its table. All of it is
# examples/finetune/stories.yaml with --set. Everything goes to ./finetune; runs that are finished are not repeated.
#
#   examples/finetune/study.sh CHECKPOINT STORIES.txt
#
# CHECKPOINT: stories260K.bin of llama2.c, tok512.bin beside it. STORIES.txt: TinyStories, <|endoftext|> between stories.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
detent="${DETENT:-build/release/detent}"
mkdir -p finetune
base="$(dirname "${BASH_SOURCE[0]}")/stories.yaml"
seeds=(0 1 2)

# Of twenty stories one is for validation, one for choosing settings (no arm reads it), the rest for training. The last
# story of a sample may be cut.
split_text() {
  mkdir -p finetune/text
  awk -v RS='\n?<\\|endoftext\\|>\n?' 'NR > 1 { print_to(kept) } { kept = $0 }
    function print_to(story) { part = (NR % 20 == 0) ? "valid" : (NR % 20 == 10) ? "tune" : "train"
      printf "%s%s", (count[part]++ ? "\n<|endoftext|>\n" : ""), story > ("finetune/text/" part ".txt") }' "$1"
}

run() {  # name settings...
  local name="$1" setting arguments=()
  shift
  [ -f "finetune/runs/$name/done" ] && return
  for setting in "output=finetune/runs/$name" "$@"; do arguments+=(--set "$setting"); done
  rm -rf "finetune/runs/$name"
  echo "$name"
  "$detent" train "$base" "${arguments[@]}" --json >"finetune/$name.json" 2>"finetune/$name.log" || { cat "finetune/$name.log" >&2; exit 1; }
  touch "finetune/runs/$name/done"
}

entry() {  # name run seed bits role note -> one object of arms.json
  printf '%s  {"name": "%s", "run": "runs/%s", "seed": %s, "bits": %s, "role": "%s", "note": "%s"}' "$comma" "$1" "$2" "$3" "$4" "$5" "$6" >>finetune/arms.json
  comma=$',\n'
}

declare -A learned=([4]="quant={preset: lsq_w4}" [2]="quant={preset: seq_w2}")
declare -A nearest=([4]="quant={weights: {grid: int, bits: 4, scale: absmax, group: row}}"
  [2]="quant={weights: {grid: midrise, bits: 2, scale: rms, group: row}}")
declare -A rate=([4]=3e-4 [2]=3e-3)  # docs/finetuning.md says how they were chosen; the control has that of the base

[ -d finetune/stories260K ] || "$detent" convert "$1" --tokenizer "$(dirname "$1")/tok512.bin" --out finetune/stories260K >&2
[ -f finetune/text/valid.txt ] || split_text "$2"
steps="$(sed -n 's/^train: {steps: \([0-9]*\),.*/\1/p' "$base")"
quarter=$((steps / 4))

printf '[\n' >finetune/arms.json
comma=""
run before quant=null train.steps=0
for bits in 4 2; do run "rounding-$bits" "${nearest[$bits]}" train.steps=0; done
for seed in "${seeds[@]}"; do
  run "control-$seed" quant=null train.seed="$seed"
  entry "full precision" "control-$seed" "$seed" 32 control "the same steps without quantization"
  for bits in 4 2; do
    arm=(optimizer.learning_rate="${rate[$bits]}" train.seed="$seed" "${learned[$bits]}")
    run "rounded-$bits-$seed" "${nearest[$bits]}" model.from="finetune/runs/control-$seed" train.steps=0
    run "straight-$bits-$seed" "${arm[@]}"
    run "cage-$bits-$seed" "${arm[@]}" cage.pull=0.06 cage.start=0.5
    run "winq-$bits-$seed" "${arm[@]}" winq.every="$quarter" winq.interpolation=0.4 winq.noise=1e-3
    run "blending-$bits-$seed" "${arm[@]}" alpha_blending.end=0.8
    [ "$seed" = 0 ] && entry "rounding, no training" "rounding-$bits" 0 "$bits" rounding ""
    entry "full precision, then rounding" "rounded-$bits-$seed" "$seed" "$bits" arm ""
    entry "straight-through" "straight-$bits-$seed" "$seed" "$bits" baseline "learned steps"
    entry "+ CAGE" "cage-$bits-$seed" "$seed" "$bits" arm ""
    entry "+ WinQ" "winq-$bits-$seed" "$seed" "$bits" arm ""
    entry "alpha-blending" "blending-$bits-$seed" "$seed" "$bits" arm ""
  done
done
printf '\n]\n' >>finetune/arms.json
echo "before fine-tuning, in full precision: $(grep -o '"validation_loss":[0-9.]*' finetune/before.json)"
"$detent" report finetune/arms.json --table --out finetune/report.html
