#!/usr/bin/env bash
# SLURM on this machine alone, for tests: no systemd, no cgroups, no accounts. Run as root.
#   slurm_up.sh STATE      start munged, slurmctld and two slurmd, with all they write below STATE
#   slurm_up.sh -d STATE   stop them
# Two nodes, said to have two cores each; partitions main, and high, which has main's jobs requeued. It takes
# the ports PORT to PORT + 2, so that several can be up.
set -euo pipefail

if [ "${1:-}" = -d ]; then
    for pid in "$2"/{one,two,slurmctld,munged}.pid; do
        [ -s "$pid" ] && kill "$(cat "$pid")" 2>/dev/null || true
    done
    exit 0
fi
state=${1:?a folder for the state} host=$(hostname -s) port=${PORT:-26817}
mkdir -p "$state"/{control,one,two,munge}
chmod 755 "$state"
getent hosts "$host" >/dev/null || echo "127.0.0.1 $host" >> /etc/hosts

# A munged of its own, with a key that nobody else can read.
dd if=/dev/urandom of="$state/munge/key" bs=1024 count=1 status=none
chmod 400 "$state/munge/key"
munged --force --key-file="$state/munge/key" --socket="$state/munge/socket" \
    --pid-file="$state/munged.pid" --log-file="$state/munge/log" --seed-file="$state/munge/seed"

# cred_expire: a requeued job waits until its credential has expired, two minutes by default.
cat > "$state/slurm.conf" <<EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdParameters=config_overrides
SlurmdUser=root
AuthInfo=socket=$state/munge/socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,requeue_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=20
MinJobAge=300
ReturnToService=2
MaxArraySize=${MAX_ARRAY:-1001}
OverTimeLimit=0
StateSaveLocation=$state/control
SlurmdSpoolDir=$state/%n
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/%n.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/%n.log
SlurmctldPort=$port
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2 State=UNKNOWN
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2 State=UNKNOWN
PartitionName=main Nodes=one,two Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=one,two MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
EOF
export SLURM_CONF="$state/slurm.conf"
slurmctld
slurmd -N one
slurmd -N two
for _ in $(seq 150); do
    [ "$(sinfo --noheader --format="%t %D" --partition=main 2>/dev/null)" = "idle 2" ] && exit 0
    sleep 0.1
done
echo "error: SLURM did not come up:" >&2
tail -n 20 "$state"/{slurmctld,one,two}.log >&2
exit 1
