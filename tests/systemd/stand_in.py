#!/usr/bin/python3
"""Programs that the unit is tried with, in the agent's place; Python's standard library alone.

run    speaks sd_notify as the agent does: ready once its journal is open, alive by a synced write, an orderly stop.
       With COILSIGHT_STAND_IN_HANG set it gets ready and then does no work.
probe  tries what the sandbox must refuse and what it must allow, and prints one line each: name, yes or no, detail.
hog    gets ready and then takes 700 MiB of memory, more than the unit allows.
"""
import ctypes
import mmap
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
state = os.environ.get("STATE_DIRECTORY", "/var/lib/coilsight")


def notify(words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
        s.send(words.encode())


def run():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    journal = os.open(f"{state}/stand-in.journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    notify("READY=1\nSTATUS=stand-in runs")
    period = int(os.environ["WATCHDOG_USEC"]) / 1e6 / 4
    while signal.sigtimedwait({signal.SIGTERM}, period) is None:
        if "COILSIGHT_STAND_IN_HANG" not in os.environ:
            os.write(journal, b"work\n")
            os.fsync(journal)
            notify("WATCHDOG=1")
    notify("STOPPING=1\nSTATUS=draining")
    os.write(journal, b"end\n")
    os.fsync(journal)


def hog():
    notify("READY=1")
    kept = [b"\1" * (1 << 20) for _ in range(700)]
    sys.exit(f"{len(kept)} MiB were given")


def call(name, *arguments):
    ctypes.set_errno(0)
    done = getattr(libc, name)(*arguments)
    if done == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def execute_from(folder):
    program = shutil.copy("/usr/bin/true", tempfile.mkdtemp(dir=folder) + "/program")
    subprocess.run([program], check=True)


def set_user_id(folder):
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        os.chmod(file.name, 0o4755)


def write(path):
    with open(path, "x", encoding="ascii") as file:
        file.write("x")
    os.remove(path)


def discipline_clock():
    # With modes 0 it only reads, and changes nothing where it is allowed.
    call("adjtimex", ctypes.create_string_buffer(512))


def node():
    path = f"{state}/node"
    os.mknod(path, 0o600 | 0o060000, os.makedev(7, 0))
    os.remove(path)


def own_socket():
    name = "\0coilsight-stand-in"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(name)
        server.listen()
        client.connect(name)


def bind_low():
    with socket.create_server(("127.0.0.1", 80)):
        pass


def see(path):
    if not os.path.exists(path):
        raise OSError(f"{path} is not to be seen")


def root_only(path):
    with open(path, "rb") as file:
        file.read(1)


def durable():
    with tempfile.NamedTemporaryFile(dir=state) as file:
        file.write(b"x")
        os.fsync(file.fileno())


def password():
    with open(os.environ["CREDENTIALS_DIRECTORY"] + "/broker-password", encoding="ascii") as file:
        if file.read() != "of the broker":
            raise OSError("another password")


CLONE_NEWUSER = 0x10000000
ATTEMPTS = {
    # What the agent needs.
    "write and sync in the state folder": durable,
    "a file in /tmp": lambda: write("/tmp/own"),
    "TCP sockets": lambda: socket.socket(socket.AF_INET).close() or socket.socket(socket.AF_INET6).close(),
    "look up a name": lambda: socket.getaddrinfo("localhost", 1883),
    "an abstract socket to itself": own_socket,
    "read /proc/cpuinfo": lambda: root_only("/proc/cpuinfo"),
    "read the broker's password": password,
    # What it must not.
    "NO write in /etc/coilsight": lambda: write("/etc/coilsight/trusted.d/x"),
    "NO write in /usr": lambda: write("/usr/bin/x"),
    "NO write elsewhere in /var": lambda: write("/var/lib/x"),
    "NO write in /dev/shm": lambda: write("/dev/shm/x"),
    "NO look into /home": lambda: see("/home/somebody"),
    "NO look into /tmp of others": lambda: see("/tmp/others"),
    "NO read of the password's file": lambda: root_only("/etc/credstore/coilsight.broker-password"),
    "NO sight of other processes": lambda: see("/proc/1"),
    "NO program from the state folder": lambda: execute_from(state),
    "NO program from /tmp": lambda: execute_from("/tmp"),
    "NO memory to write and execute": lambda: mmap.mmap(-1, 4096, prot=7).close(),
    "NO set-user-ID file": lambda: set_user_id(state),
    "NO user namespace": lambda: call("unshare", CLONE_NEWUSER),
    "NO other execution domain": lambda: call("personality", 0x0040000),
    "NO real-time scheduling": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "NO better priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
    "NO netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "NO raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "NO port below 1024": bind_low,
    "NO disciplining of the clock": discipline_clock,
    "NO setting of the host name": lambda: socket.sethostname("x"),
    "NO kernel log": lambda: call("klogctl", 3, ctypes.create_string_buffer(64), 64),
    "NO block device": node,
    "NO kernel setting": lambda: open("/proc/sys/kernel/domainname", "w", encoding="ascii").close(),
    "NO control group": lambda: os.mkdir(control_group() + "/x") or os.rmdir(control_group() + "/x"),
    "NO message queue of others": lambda: call("msgget", 0x636F696C, 0),
    "NO mount": lambda: call("mount", b"none", state.encode(), b"tmpfs", 0, None),
    "NO other user": lambda: os.setgroups([]) or os.setresuid(1, 1, 1),
}


def control_group():
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd"):
        if os.path.exists(f"{folder}/cgroup.procs"):
            return folder
    raise OSError("no control groups")


def bounds():
    status = dict(line.rstrip("\n").split(":\t", 1) for line in open("/proc/self/status", encoding="ascii"))
    yield "capabilities", status["CapBnd"] + " " + status["CapEff"]
    yield "no new privileges", status["NoNewPrivs"]
    yield "seccomp", status["Seccomp"]
    yield "user namespace is whole", int(open("/proc/self/uid_map", encoding="ascii").read().split()[2] == "4294967295")
    yield "core", resource.getrlimit(resource.RLIMIT_CORE)[1]
    yield "files", resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield "nice", os.getpriority(os.PRIO_PROCESS, 0)
    yield "I/O priority", call("syscall", 252, 1, 0) if os.uname().machine == "x86_64" else "not asked"
    yield "OOM score", open("/proc/self/oom_score_adj", encoding="ascii").read().strip()
    yield "umask", oct(os.umask(0o027))


def probe():
    # In a child each: an attempt that succeeds changes what the next one may.
    for name, attempt in ATTEMPTS.items():
        sys.stdout.flush()
        if os.fork() == 0:
            try:
                attempt()
                print(f"{name}\tdone\t")
            except (OSError, subprocess.SubprocessError, KeyError) as e:
                print(f"{name}\trefused\t{e}")
            sys.stdout.flush()
            os._exit(0)
        os.wait()
    for name, value in bounds():
        print(f"{name}\tis\t{value}")
    sys.stdout.flush()
    if "NOTIFY_SOCKET" in os.environ:
        notify("READY=1")


{"run": run, "probe": probe, "hog": hog}[sys.argv[1]]()
