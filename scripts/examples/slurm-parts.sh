#!/bin/bash
# One part of a run for each task of an array; see docs/beyond-one-machine.md.
# RUN is a folder that all nodes see, MODEL a model file.
#SBATCH --job-name=tempograd
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --requeue
set -euo pipefail
: "${RUN:?a folder that all nodes see}" "${MODEL:?a model file}"

mkdir -p "$RUN/parts"
part="$RUN/parts/$SLURM_ARRAY_TASK_ID.npz"
# A part appears when it is complete, so a task that was requeued has nothing to do where it is there.
if [ -e "$part" ]; then exit 0; fi
tempograd analyze "$MODEL" --mode final,pairs --steps 8000 --seed 0 \
  --engine tensorflow --max-memory 12000000000 --progress none \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "$part"
