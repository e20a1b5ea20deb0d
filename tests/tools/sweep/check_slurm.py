#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sweeps over a real Slurm: a controller and a node daemon of their own, started in a temporary folder and stopped again.

usage: check_slurm.py MEMWALL FAKE_RUN        exit code 77: skipped, with the reason
"""

import filecmp
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIPPED = 77
CONF = """
ClusterName=memwalltest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={dir}/munge.sock
CredType=cred/munge
SlurmctldPort={port1}
SlurmdPort={port2}
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/ctld.pid
SlurmdPidFile={dir}/slurmd.pid
SlurmctldLogFile={dir}/ctld.log
SlurmdLogFile={dir}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MaxArraySize=9
MinJobAge=2
KillWait=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def skip(reason):
    print("SKIPPED:", reason)
    sys.exit(SKIPPED)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Slurm:
    def __init__(self, directory):
        self.dir = Path(directory)
        self.children = []
        for program in ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo"):
            if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
                skip(f"{program} is missing (Debian: slurm-wlm munge)")
        os.environ["PATH"] += ":/usr/sbin"
        key = self.dir / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        for sub in ("state", "spool"):
            (self.dir / sub).mkdir()
        self.start("munged", "--foreground", "--force", f"--socket={self.dir}/munge.sock", f"--key-file={key}",
                   f"--pid-file={self.dir}/munged.pid", f"--log-file={self.dir}/munged.log", f"--seed-file={self.dir}/munge.seed")
        host = socket.gethostname().split(".")[0]
        conf = self.dir / "slurm.conf"
        conf.write_text(CONF.format(host=host, user=getpass.getuser(), dir=self.dir, port1=free_port(), port2=free_port()))
        os.environ["SLURM_CONF"] = str(conf)
        self.wait_for(lambda: (self.dir / "munge.sock").exists(), "munged")
        self.start("slurmctld", "-D", "-f", str(conf))
        self.start("slurmd", "-D", "-f", str(conf), "-N", host)
        self.wait_for(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%t"), "slurmctld and slurmd")

    def start(self, *command):
        log = open(self.dir / (command[0] + ".out"), "w")
        self.children.append(subprocess.Popen(command, stdout=log, stderr=log))

    @staticmethod
    def ask(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout

    def wait_for(self, ready, what):
        end = time.time() + 25
        while time.time() < end:
            if any(c.poll() is not None for c in self.children):
                break
            if ready():
                return
            time.sleep(0.1)
        words = "".join(f.read_text()[-400:] for f in sorted(self.dir.glob("*.out")) + sorted(self.dir.glob("*.log")))
        self.stop()
        skip(f"{what} did not start on this machine: {words[-800:]}")

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def same(a, b):
    for name in ("results.csv", "sweep.sqlite"):
        assert filecmp.cmp(a / name, b / name, shallow=False), f"{a / name} and {b / name} differ"


def main():
    memwall, fake = sys.argv[1:3]
    work = Path(tempfile.mkdtemp(prefix="memwall-slurm-"))
    slurm = Slurm(work)
    try:
        def sweep(text, out, *more, start=subprocess.run, runner=fake):
            (work / "sweep.yaml").write_text(text)
            return start([memwall, "sweep", str(work / "sweep.yaml"), "--out", str(work / out), "--runner", runner, *more])

        cluster = ("--executor", "slurm", "--poll", "0.3", "--chunk", "4")

        # More chunks than one array may have (MaxArraySize above), an odd last chunk, a refused and a crashing point.
        grid = "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, 47], step: 1}, fake.exit: {values: [0, 2, 1], when: workload.batch == 3}}\n"
        assert sweep(grid, "cluster", *cluster).returncode == 0
        assert sweep(grid, "laptop").returncode == 0
        same(work / "cluster", work / "laptop")
        print("same as local: yes")

        # The submitter is killed while jobs run; started again it follows them and submits nothing twice.
        slow = "base: {platform: p, model: m, set: {fake.sleep_ms: 120}}\naxes: {workload.batch: {linear: [1, 16], step: 1}}\n"
        log = work / "starts"
        os.environ["FAKE_RUN_LOG"] = str(log)
        first = sweep(slow, "resumed", *cluster, start=subprocess.Popen)
        while not log.exists() or len(log.read_text().splitlines()) < 3:
            time.sleep(0.05)
        first.kill()
        first.wait()
        assert sweep(slow, "resumed", *cluster).returncode == 0
        assert len(log.read_text().splitlines()) == 16, log.read_text()
        # A task that is taken away mid-way, as a failed node's would be: its points are submitted again.
        log.unlink()
        failing = slow.replace("16", "12")
        running = sweep(failing, "failed", *cluster, start=subprocess.Popen)
        while not log.exists() or len(log.read_text().splitlines()) < 2:
            time.sleep(0.05)
        jobs = slurm.ask("squeue", "-h", "-r", "-t", "R", "-o", "%A").split()
        subprocess.run(["scancel", "--signal=KILL", "--full", jobs[0]], check=True)
        assert running.wait() == 0
        del os.environ["FAKE_RUN_LOG"]
        assert sweep(slow, "resumed-local").returncode == 0
        same(work / "resumed", work / "resumed-local")
        assert sweep(failing, "failed-local").returncode == 0
        same(work / "failed", work / "failed-local")
        print("resumed and retried: yes")

        # Points that always take their job with them are given up after the limit, and the sweep ends.
        (work / "killer.sh").write_text('#!/bin/sh\ncase "$*" in *poison=1*) kill -9 $PPID; sleep 5;; esac\nexec ' + fake + ' "$@"\n')
        (work / "killer.sh").chmod(0o755)
        poison = "base: {platform: p, model: m}\naxes: {poison: [0, 1, 0.5]}\n"
        assert sweep(poison, "poison", *cluster, "--retries", "1", runner=str(work / "killer.sh")).returncode == 0
        status = [line.split(",")[1] for line in (work / "poison/results.csv").read_text().splitlines()[1:]]
        assert status[1] == "lost" and status[0] == "ok", status
        print("lost points are given up:", status)
    finally:
        slurm.stop()
        shutil.rmtree(work, ignore_errors=True) if os.environ.get("KEEP") is None else print(work)


if __name__ == "__main__":
    main()
