# SPDX-License-Identifier: Apache-2.0
"""A real Slurm of two nodes on this machine: munged, slurmctld and two slurmd on the loopback, with keys, ports and folders of their own.

Nothing of a Slurm that the machine may have is touched, and everything ends with the `with` block: daemons are started in the foreground
as children of this process, so that they can be ended by their own ids.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "squeue", "scontrol", "scancel", "sinfo", "munge")
CPUS_PER_NODE = 4  # pretended: the jobs sleep and wait more than they compute, and a small machine must still hold two nodes
START_S, STOP_S = 30.0, 10.0


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def missing() -> str:
    """Why there can be no cluster here; empty when there can."""
    absent = [name for name in DAEMONS + CLIENTS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"no Slurm: {', '.join(absent)} not found (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "slurmd needs root to start jobs, and this is not root"


def _die_with_parent():
    """Of a daemon: no test that is killed leaves one behind (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Cluster:
    """with Cluster() as cluster: cluster.run("sbatch", ...)"""

    def __init__(self):
        self._daemons: list[subprocess.Popen] = []
        self.folder = Path()

    def __enter__(self):
        # Short, because a socket's path may not be longer than 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="bss", dir="/tmp"))
        self.folder.chmod(0o755)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._daemons and self._answers("squeue", "-h"):
            self.run("scancel", "-f", "--user=root", check=False)
            self._until(lambda: not self.run("squeue", "-h", "-o", "%i", check=False).strip(), STOP_S)
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(STOP_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def env(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        return {**inherited, "PATH": _path(), "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str, check=True, cwd=None, env=None) -> str:
        """stdout of a Slurm client; AssertionError with its words when it fails and `check`."""
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, cwd=cwd, env={**self.env, **(env or {})})
        assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _answers(self, *command: str) -> bool:
        return subprocess.run(command, env=self.env, capture_output=True, timeout=60).returncode == 0

    def _until(self, condition, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.1)
        return False

    def _spawn(self, *command: str):
        with open(self.folder / f"{Path(command[0]).name}{len(self._daemons)}.out", "w") as log:
            self._daemons.append(subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                                  preexec_fn=_die_with_parent))

    def _start(self):
        self._configure()
        munge = self.folder / "munge"
        self._spawn("munged", "--foreground", f"--key-file={munge / 'key'}", f"--socket={munge / 'socket'}", f"--pid-file={munge / 'pid'}",
                    f"--seed-file={munge / 'seed'}", f"--log-file={munge / 'log'}", "--force")
        socket_file = munge / "socket"
        assert self._until(socket_file.exists, START_S), self.words("munged did not start")
        self._spawn("slurmctld", "-D", "-i")
        for node in ("n1", "n2"):
            self._spawn("slurmd", "-D", "-N", node)
        idle = lambda: self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split() == ["idle", "idle"]
        assert self._until(idle, START_S), self.words("the nodes did not come up")

    def _configure(self):
        folder, host = self.folder, socket.gethostname().split(".")[0]
        controller, first, second = _free_ports(3)
        for name in ("munge", "state", "spool/n1", "spool/n2", "tmp/n1", "tmp/n2"):
            (folder / name).mkdir(parents=True, mode=0o755)
        (folder / "munge").chmod(0o700)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        (folder / "cgroup.conf").write_text("")
        (folder / "slurm.conf").write_text(f"""
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=5
MinJobAge=300
MaxArraySize=64
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs={CPUS_PER_NODE} RealMemory=512
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs={CPUS_PER_NODE} RealMemory=512
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=60 State=UP
""")

    def words(self, what: str) -> str:
        """What the daemons said, for a message."""
        logs = sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))
        return what + "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)
