#!/bin/sh
# A study as a Slurm array: a task is a shard; cells that are done are left alone, so a task that was killed or preempted is
# simply sent again. The store is a folder that all nodes share, or s3://BUCKET/PREFIX.
#
#   STUDY=paper-coil.yaml DATA=/data/coils OUT=/data/paper-coil sbatch --array=1-20 deploy/study/slurm.sh
#
# then, when the array is through: coilsight-trainer study finish "$STUDY" --data "$DATA" --out "$OUT"
#SBATCH --job-name=coilsight-study
#SBATCH --cpus-per-task=2
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.log
set -eu
: "${STUDY:?name the study, as STUDY=paper-coil.yaml}"
: "${DATA:?name the folder with the set, as DATA=/data/coils}"
: "${OUT:?name the folder for the results, as OUT=/data/paper-coil}"
# As many threads as the task was given processors: networks that share a processor take each other's time.
export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
# Shards share the folder: each cell is at work in a folder of its own, and what frozen stages give is kept once for all.
exec "${TRAINER:-coilsight-trainer}" study "$STUDY" --data "$DATA" \
    --out "$OUT" --store "${STORE:-$OUT/store}" \
    --shard "$SLURM_ARRAY_TASK_ID/${SLURM_ARRAY_TASK_MAX:?send it as an array: sbatch --array=1-N}"
