#!/bin/bash
# The parts of slurm-parts.sh put together; see docs/beyond-one-machine.md.
#SBATCH --job-name=tempograd-merge
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
set -euo pipefail
: "${RUN:?a folder that all nodes see}"

tempograd merge "$RUN"/parts/*.npz --out "$RUN/run.npz" --json="$RUN/run.json"
