#!/usr/bin/env bash
# cluster.sh FOLDER: SLURM on this machine alone, as root and without systemd, with one node and a
# GPU that does not exist. It says "ready" and stays for as long as its standard input is open, so
# that whoever started it cannot leave it behind: a slurm.conf without its SLURM makes each start of
# Snakemake wait for 10 s. Jobs that ended are listed in FOLDER/jobs.txt.
set -euo pipefail
folder=$1
host=$(hostname -s)
cpus=$(($(env -u OMP_NUM_THREADS nproc) * 2)) # so that jobs that start overlap with others

stop() {
  timeout 10 scancel --user root || true
  for _ in $(seq 20); do
    [ -n "$(timeout 5 squeue --noheader)" ] || break
    sleep 0.5
  done
  rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
  for name in slurmd slurmctld munged; do
    pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
    kill "$pid" || continue
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    kill -9 "$pid"
  done
} >>"$folder/stop.log" 2>&1

if [ -e /etc/slurm/slurm.conf ]; then
  echo "SLURM is configured on this machine: /etc/slurm/slurm.conf is not overwritten"
  exit 1
fi
trap stop EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$folder"/{spool,state} /etc/slurm
echo "NodeName=$host Name=gpu File=/dev/null" >/etc/slurm/gres.conf
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/jobs.txt
AuthType=auth/munge
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
# A job that uses more memory than it asked for is killed within seconds.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=5
# What jobs may ask for together does not go by what this machine has.
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=32000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=UNLIMITED State=UP
CONF

if ! munge -n </dev/null >/dev/null 2>&1; then
  [ -s /etc/munge/munge.key ] || mungekey --create
  mkdir -p /run/munge
  chown munge:munge /run/munge /etc/munge/munge.key
  setpriv --reuid munge --regid munge --clear-groups munged --pid-file /run/munge/munged.pid
  cp /run/munge/munged.pid "$folder"
fi >>"$folder/munged.log" 2>&1
slurmctld -i -c
slurmd -N "$host"
until timeout 5 sinfo --noheader --format %t 2>/dev/null | grep -q idle; do
  if [ "$SECONDS" -gt 30 ] || ! kill -0 "$(cat "$folder/slurmctld.pid")"; then
    tail -n 20 "$folder"/*.log
    exit 1
  fi
  sleep 0.2
done
echo ready
cat >/dev/null
