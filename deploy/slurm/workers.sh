#!/bin/bash
# sbatch --nodes=2 --ntasks-per-node=4 --gpus-per-task=1 --cpus-per-task=8 deploy/slurm/workers.sh FOLDER
#
# A scheduler on the first node, and a worker for each task of the job: one per card, which it alone sees. The profile
# of the daemon, or of `streamlcn replay`, says where the scheduler is; its address stands in FOLDER/scheduler.json.
# FOLDER is on a file system that all nodes see; compute.shared_dir may be the same.
#SBATCH --job-name=streamlcn-workers
#SBATCH --time=08:00:00
#SBATCH --mem-per-cpu=8G
#SBATCH --signal=B:TERM@60
set -euo pipefail

folder=${1:?the folder that all nodes see}
dask=${STREAMLCN_VENV:-/opt/streamlcn/venv}/bin/dask
port=${SCHEDULER_PORT:-8786}
# With certificates: TLS_OPTIONS="--tls-ca-file ca.pem --tls-cert node.pem --tls-key node.key", PROTOCOL=tls
read -ra tls <<<"${TLS_OPTIONS:-}"
file=$folder/scheduler.json
rm -f "$file"

srun --nodes=1 --ntasks=1 --gpus=0 --overlap \
  "$dask" scheduler --protocol "${PROTOCOL:-tcp}" --port "$port" --no-dashboard --scheduler-file "$file" ${tls[@]+"${tls[@]}"} &
scheduler=$!
trap 'kill "$scheduler" 2>/dev/null || true' EXIT

# Workers wait for the file. One thread: one task at a time, which uses the cores of its own.
srun --kill-on-bad-exit=0 \
  "$dask" worker --scheduler-file "$file" --nthreads 1 --no-dashboard --death-timeout 300 ${tls[@]+"${tls[@]}"}
