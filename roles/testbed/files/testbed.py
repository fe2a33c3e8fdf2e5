# SPDX-FileCopyrightText: linuxnet.lab contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several hosts with real SSH servers on one machine, without touching the machine's own network.

A *native* host is a set of namespaces (network, mount, UTS, IPC, PID); a *guest* is a User-Mode Linux kernel, an
ordinary process.  Either way a host is one process, PID 1 of a PID namespace: when it ends, all that is in it ends.
A bridge in a namespace of its own joins the hosts; SSH comes in there through the ``connect`` command.

What is wanted is compared with what stands, host by host, and only the difference is made.  In the testbed's folder:

    testbed.json         the mark that the folder is ours, and where the inventory is
    lib/                 a copy of this program and of the scripts that it runs
    keys/                the throw-away keys
    ssh/                 the sockets of shared SSH connections
    machines/NAME/       process: the PID, its start time and the boot; made.json; log; etc/: what the host sees

Three rules make a killed run harmless.  The lock on the folder is held by each child until it becomes the host's
program, so nobody looks at half a record.  A host's process is on record before it does anything.  And it waits at
a gate, a pipe, and ends if this program ends before it opens the gate.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import fcntl
import hashlib
import ipaddress
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional, Union

DIRECTORY = "/var/lib/linuxnet.lab/testbed"
GROUPS: dict[str, Union[str, list[str]]] = {
    "bridge_hosts": "all",
    "ipip_hosts": "all",
    "vxlan_hosts": "all",
    "pod_hosts": "all",
    "internet": ["outside"],
    "lab": ["bridge_hosts", "ipip_hosts", "vxlan_hosts", "pod_hosts"],
}
OUTSIDE = "outside"
BRIDGE = "testbed0"
MANAGEMENT = "mgmt"  # the folder of the process that holds the bridge's namespace; no host may have this name
GUEST_MODULES = "/usr/lib/uml/modules"
SOURCE = Path(__file__).resolve().parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_DIRECTORY = 70  # ssh adds "/ssh/255.255.255.255" and 17 characters, and a socket's path has room for 108

# <linux/sched.h>
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class TestbedError(Exception):
    """Something that the user has to know; the text says what to do."""


# ---- what is wanted (pure) -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Host:
    """One host of the testbed; `number` is its place in the subnet."""

    name: str
    number: int
    address: str

    @property
    def mac(self) -> str:
        """Always the same, so that a host made again is found in the others' ARP caches."""
        return "02:6c:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(self.address).packed)

    @property
    def port(self) -> str:
        """Its port on the bridge."""
        return f"port{self.number}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for, `auto` resolved."""

    form: str
    mode: str
    hosts: tuple[Host, ...]
    subnet: ipaddress.IPv4Network
    nic: str
    outside: bool
    outside_address: str
    memory: int
    binds: tuple[str, ...]
    python: str
    groups: dict[str, Union[str, list[str]]]
    host_vars: dict[str, dict[str, Any]]
    group_vars: dict[str, dict[str, Any]]
    inventory: Path

    @property
    def nodes(self) -> list[Host]:
        return [host for host in self.hosts if host.name != OUTSIDE]

    def in_subnet(self, number: int) -> str:
        return str(self.subnet[number])

    def with_prefix(self, address: str) -> str:
        return f"{address}/{self.subnet.prefixlen}"


def default_names(count: int) -> list[str]:
    """vms100, vms101, ...: the names of the documents, which have no vms104."""
    numbers = (number for number in itertools.count(100) if number != 104)
    return [f"vms{number}" for number in itertools.islice(numbers, count)]


def host_number(name: str, position: int) -> int:
    """The last octet is the number in the name (vms105: .105), else 100, 101, ..."""
    found = re.search(r"(\d+)$", name)
    return int(found.group(1)) if found and 3 <= int(found.group(1)) <= 254 else 100 + position


def plan_hosts(names: Sequence[str], subnet: ipaddress.IPv4Network, outside: bool) -> tuple[Host, ...]:
    """Name and address of each host; raises TestbedError for a name or an address that cannot be."""
    numbered = [(name, host_number(name, position)) for position, name in enumerate(names)]
    if outside:
        numbered.append((OUTSIDE, 2))
    for name, _number in numbered:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})", name) or name == MANAGEMENT:
            raise TestbedError(f"{name!r} cannot be the name of a host")
    for what, values in (
        ("name", [one[0] for one in numbered]),
        ("address", [str(subnet[one[1]]) for one in numbered]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise TestbedError(f"two hosts have the same {what}: {', '.join(twice)}")
    return tuple(Host(name, number, str(subnet[number])) for name, number in numbered)


def inventory_text(settings: Settings, place: Place) -> str:
    """The inventory as YAML. The testbed's own values are plain ones: testinfra does not template."""
    hosts: dict[str, Any] = {}
    for host in settings.hosts:
        own = {"ansible_host": host.address, "underlay_address": host.address}
        hosts[host.name] = {**own, **settings.host_vars.get(host.name, {}), **own}
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(place.keys / "client"),
        "ansible_ssh_common_args": shlex.join(ssh_options(place)),
        "ansible_python_interpreter": settings.python,
        "ansible_remote_tmp": "/run/ansible",
        "ansible_pipelining": True,
    }
    groups = {name: group_members(name, settings) for name in settings.groups}
    tree = {"all": {"vars": variables, "hosts": hosts, "children": groups}}
    return f"{place.signature}\n---\n" + "\n".join(yaml_lines(tree)) + "\n"


def group_members(group: str, settings: Settings) -> dict[str, Any]:
    """A group's hosts and subgroups, in the words of an inventory."""
    wanted = settings.groups[group]
    names = {host.name for host in settings.hosts}
    members: dict[str, Any] = {"hosts": {}, "children": {}}
    for member in [host.name for host in settings.nodes] if wanted == "all" else wanted:
        if member in names:
            members["hosts"][member] = {}
        elif member in settings.groups and member != group:
            members["children"][member] = {}
        elif member != OUTSIDE:  # asked for without it
            raise TestbedError(f"group {group}: {member!r} is neither a host nor another group")
    members["vars"] = settings.group_vars.get(group, {})
    return {key: value for key, value in members.items() if value}


def yaml_lines(tree: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Nested dictionaries as YAML, a line for each entry of a list; each leaf in JSON, which YAML contains."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from yaml_lines(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {json.dumps(entry)}" for entry in value)
        else:
            yield f"{indent}{key}: {json.dumps(value)}"


def environment(host: Host, settings: Settings) -> dict[str, str]:
    """What host-init has to know."""
    is_node = host.name != OUTSIDE
    return {
        "NAME": host.name,
        "NIC": settings.nic,
        "ADDRESS": settings.with_prefix(host.address),
        "GATEWAY": settings.in_subnet(2) if settings.outside and is_node else "",
        "SERVICE": "" if is_node else f"{settings.outside_address}/32",
        "SHARED": "yes" if settings.form == "native" and settings.mode == "light" else "no",
    }


def host_command(host: Host, settings: Settings, place: Place) -> list[str]:
    """The program that is PID 1 of the host's PID namespace."""
    folder = place.machine(host.name)
    if settings.form == "native":
        return [str(place.lib / "native-root"), str(folder), settings.mode]
    return [
        "linux.uml",
        f"mem={settings.memory}M",
        *("rootfstype=hostfs", "rootflags=/", "ro"),
        *("umid=uml", "uml_dir=./"),  # relative: the control socket's path would be too long otherwise
        *("con=null", "con0=null,fd:1", "ssl=null"),
        f"vec0:transport=tap,ifname={host.port},mac={host.mac},depth=128,gro=1",
        "random.trust_cpu=on",  # sshd must not wait for entropy
        f"GUEST_DIR={folder}",
        f"GUEST_MODULES={GUEST_MODULES}",
        f"init={place.lib / 'guest-root'}",
    ]


# ---- the folder ------------------------------------------------------------------------------------------------


class Place:
    """The testbed's folder, and the lock on it."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.mark = self.directory / "testbed.json"
        self.lib = self.directory / "lib"
        self.keys = self.directory / "keys"
        self.sockets = self.directory / "ssh"
        self.machines = self.directory / "machines"
        self.program = self.lib / "testbed.py"
        self.signature = f"# Written by linuxnet.lab.testbed for {directory}: lost with the next up or down."
        self.lock: Optional[int] = None
        if not re.fullmatch(r"(/[\w.+-]+)+", directory) or {"..", "."} & set(self.directory.parts):
            raise TestbedError(f"{directory}: the folder must be an absolute path of plain letters, without '..'")
        if self.directory.resolve().parts[:2] in (("/", "run"), ("/", "proc"), ("/", "sys"), ("/", "dev")):
            raise TestbedError(f"{directory}: each host has its own {'/'.join(self.directory.parts[:2])}")
        if len(directory) > LONGEST_DIRECTORY:
            raise TestbedError(f"{directory}: longer than {LONGEST_DIRECTORY}, too long for the sockets in it")

    def machine(self, name: str) -> Path:
        return self.machines / name

    def made(self) -> list[str]:
        """The names of all that was begun to be made."""
        return sorted(path.name for path in self.machines.iterdir()) if self.machines.is_dir() else []

    def facts(self, name: str) -> dict[str, str]:
        """What a host was made of; nothing if it was not even begun."""
        path = self.machine(name) / "made.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def is_ours(self) -> bool:
        return self.mark.exists()

    def check_ours(self) -> None:
        if self.directory.is_dir() and any(self.directory.iterdir()) and not self.is_ours():
            raise TestbedError(f"{self.directory} has other files in it: not touched; choose another folder")

    def known(self) -> dict[str, Any]:
        return json.loads(self.mark.read_text()) if self.is_ours() else {}

    def clear(self) -> None:
        """Remove the folder; the mark last, so that whoever is interrupted may go on."""
        for path in self.directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self.mark:
                path.unlink()
        self.mark.unlink(missing_ok=True)
        self.directory.rmdir()
        if self.directory.parent.name == "linuxnet.lab":  # made along with the default folder
            with contextlib.suppress(OSError):
                self.directory.parent.rmdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time. The lock is on the folder itself, so `down` can remove everything."""
        while True:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lock = os.open(self.directory, os.O_RDONLY)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self.lock), os.stat(self.directory)):
                    break
            os.close(self.lock)  # the one before us removed it
        try:
            yield
        finally:
            os.close(self.lock)
            self.lock = None


def write(path: Path, content: Union[str, bytes], mode: int = 0o644, check: bool = False) -> bool:
    """Make a file have this content, all of it or nothing; says whether that is a change."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
        return False
    if check:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.chmod(mode)
    new.rename(path)
    return True


def remove_inventory(path: Path, place: Place) -> bool:
    """Only if it is ours: a user may have put another file there."""
    path.with_name(f".{path.name}.new").unlink(missing_ok=True)
    if not path.is_file() or not path.read_text().startswith(place.signature):
        return False
    path.unlink()
    return True


# ---- processes -------------------------------------------------------------------------------------------------


def run(place: Optional[Place], argv: Sequence[str], text: str = "") -> str:
    """Run a program to its end; it keeps the lock if this one is killed meanwhile."""
    lock = [place.lock] if place and place.lock is not None else []
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, pass_fds=lock)
    if done.returncode:
        raise TestbedError(f"{shlex.join(argv)}: {done.stderr.strip() or done.stdout.strip()}\n{text}".strip())
    return done.stdout


def system_call(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started(pid: int) -> Optional[str]:
    """The start time of a live process (proc(5), stat, field 22); None for a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def process(folder: Path) -> Optional[int]:
    """The PID on record, if it is still that very process: PIDs are used again, and so are they after a reboot."""
    try:
        pid, start, its_boot = (folder / "process").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if its_boot == boot() and started(int(pid)) == start else None


def end(folders: Sequence[Path]) -> None:
    """End these hosts' processes, and wait until they and all processes in them are gone."""
    for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 30.0)):
        limit = time.monotonic() + patience
        left = [pid for pid in map(process, folders) if pid]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(map(process, folders)) and time.monotonic() < limit:
            time.sleep(0.01)
        if not any(map(process, folders)):
            return
    raise TestbedError(f"these processes do not end: {[pid for pid in map(process, folders) if pid]}")


def spawn(place: Place, name: str, argv: Sequence[str], namespaces: int, gate: tuple[int, int], join: int = 0) -> None:
    """Make a process that will run argv in new namespaces (and in the network of process `join`) once the gate opens.

    It takes two forks: a process does not move itself into a new PID namespace, only its children.
    """
    folder = place.machine(name)
    outer = os.fork()
    if outer:
        if os.waitpid(outer, 0)[1]:
            raise TestbedError(f"cannot start {name}:\n{log_end(folder)}")
        return
    try:
        os.close(gate[1])
        os.setsid()
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for stream, target in enumerate((null, log, log)):
            os.dup2(target, stream)
        if join:
            enter_network(join)
        system_call(LIBC.unshare(namespaces))
        inner = os.fork()
        if inner == 0:
            if os.read(gate[0], 1):
                os.execvpe(argv[0], list(argv), {"PATH": PATH, "HOME": "/root", "TERM": "linux"})
            os._exit(1)
        write(folder / "process", f"{inner} {started(inner)} {boot()}\n")
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def enter_network(pid: int) -> None:
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        system_call(LIBC.setns(namespace.fileno(), CLONE_NEWNET))


def socket_in(pid: int) -> socket.socket:
    """A TCP socket that lives in another process's network."""
    with open("/proc/self/ns/net", "rb") as own:
        enter_network(pid)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            system_call(LIBC.setns(own.fileno(), CLONE_NEWNET))


def log_end(folder: Path, lines: int = 25) -> str:
    path = folder / "log"
    text = path.read_text(errors="replace") if path.exists() else ""
    return "\n".join(text.replace("\r", "").splitlines()[-lines:]) or "(nothing in its log)"


# ---- the management network ------------------------------------------------------------------------------------


def ip(place: Place, pid: int, commands: Sequence[str]) -> None:
    run(place, ["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"], "\n".join(commands) + "\n")


def links(place: Place, pid: int) -> dict[str, dict[str, Any]]:
    found = json.loads(run(place, ["nsenter", "-t", str(pid), "-n", "ip", "-j", "address"]))
    return {link["ifname"]: link for link in found}


def network(place: Place) -> Optional[int]:
    """The process that holds the management network, if it lives."""
    return process(place.machine(MANAGEMENT))


def network_stands(place: Place, settings: Settings) -> bool:
    pid = network(place)
    bridge = links(place, pid).get(BRIDGE, {}) if pid else {}
    addresses = [f"{entry['local']}/{entry['prefixlen']}" for entry in bridge.get("addr_info", [])]
    return "UP" in bridge.get("flags", []) and settings.with_prefix(settings.in_subnet(1)) in addresses


def make_network(place: Place, settings: Settings) -> None:
    """A bridge, with an address for the controller's end of each SSH connection, in a namespace of its own."""
    place.machine(MANAGEMENT).mkdir(parents=True, exist_ok=True)
    # A host that boots is found within 0.1 s instead of 1 s.
    hold = "echo 100 >/proc/sys/net/ipv4/neigh/default/retrans_time_ms; exec sleep infinity"
    with gate() as opening:
        spawn(place, MANAGEMENT, ["sh", "-c", hold], CLONE_NEWNET, opening)
        os.write(opening[1], b"!")
    pid = network(place)
    if not pid:
        raise TestbedError(f"the management network ended at once:\n{log_end(place.machine(MANAGEMENT))}")
    ip(
        place,
        pid,
        [
            "link set lo up",
            f"link add {BRIDGE} mtu 1500 type bridge",
            f"address add {settings.with_prefix(settings.in_subnet(1))} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ],
    )


def plug(place: Place, settings: Settings, hosts: Sequence[Host]) -> None:
    """Give each of these hosts, already spawned, its port on the bridge."""
    pid = network(place)
    if not pid:
        raise TestbedError("the management network ended")
    commands = []
    for host in hosts:
        if settings.form == "native":
            peer = f"{settings.nic} address {host.mac} netns {process(place.machine(host.name))}"
            commands.append(f"link add {host.port} mtu 1500 type veth peer name {peer}")
        else:
            commands.append(f"tuntap add dev {host.port} mode tap")
        commands.append(f"link set {host.port} master {BRIDGE} up")
    ip(place, pid, commands)


def unplug(place: Place, ports: Sequence[str]) -> None:
    """Remove these ports, unless they went with their hosts."""
    pid = network(place)
    if pid:
        left = links(place, pid)
        # -force: the kernel may remove one between the question and the command.
        commands = "".join(f"link delete {port}\n" for port in ports if port in left)
        with contextlib.suppress(TestbedError):
            run(place, ["nsenter", "-t", str(pid), "-n", "ip", "-force", "-batch", "-"], commands)


# ---- hosts -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def gate() -> Iterator[tuple[int, int]]:
    """Processes wait at its first end; each byte written to the other lets one pass. Closed, it ends those waiting."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for each in ends:
            os.close(each)


def host_files(host: Host, settings: Settings, place: Place) -> dict[str, bytes]:
    """What the host finds in /run/testbed."""
    variables = "".join(f"{key}={shlex.quote(value)}\n" for key, value in environment(host, settings).items())
    names = f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{host.address} {host.name}\n"
    return {
        "env": variables.encode(),
        "hosts": names.encode(),
        "init": (SOURCE / "host-init").read_bytes(),
        "sshd_config": (SOURCE / "sshd_config").read_bytes(),
        "host_key": (place.keys / "host").read_bytes(),
        "authorized_keys": (place.keys / "client.pub").read_bytes(),
    }


def digest(host: Host, settings: Settings, place: Place) -> str:
    """Changes with everything that the host is made of."""
    words = [*host_command(host, settings, place), *settings.binds, host.mac]
    files = [*host_files(host, settings, place).values(), (SOURCE / f"{settings.form}-root").read_bytes()]
    return hashlib.sha256(b"\0".join([*map(str.encode, words), *files])).hexdigest()


def make_hosts(place: Place, settings: Settings, hosts: Sequence[Host], patience: float) -> None:
    """Make these hosts, all at once, and wait until their SSH servers answer."""
    namespaces = CLONE_NEWPID
    if settings.form == "native":
        namespaces |= CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC
    with gate() as opening:
        for host in hosts:
            folder = place.machine(host.name)
            for name, content in host_files(host, settings, place).items():
                write(folder / "etc" / name, content, 0o600)
            write(folder / "binds", "".join(f"{path}\n" for path in settings.binds))
            write(folder / "writable", "")
            made = {"digest": digest(host, settings, place), "address": host.address, "port": host.port}
            write(folder / "made.json", json.dumps(made) + "\n")
            join = 0 if settings.form == "native" else network(place) or 0
            spawn(place, host.name, host_command(host, settings, place), namespaces, opening, join)
        plug(place, settings, hosts)
        os.write(opening[1], b"!" * len(hosts))
    silent = [host for host in hosts if host.name not in answering(place, hosts, patience)]
    if silent:
        logs = "\n".join(f"---- {host.name}\n{log_end(place.machine(host.name))}" for host in silent)
        raise TestbedError(f"no SSH server answered within {patience:.0f} s; the end of the logs:\n{logs}")


def answering(place: Place, hosts: Sequence[Host], patience: float) -> set[str]:
    """Those of the hosts whose SSH server says its name before the patience ends; a dead host is not waited for."""
    import asyncio  # not at the top: it would slow down `connect`, which runs for each SSH connection

    pid = network(place)
    limit = time.monotonic() + patience

    async def greet(host: Host) -> Optional[str]:
        loop = asyncio.get_running_loop()
        while pid and process(place.machine(host.name)) and time.monotonic() < limit:
            with socket_in(pid) as tcp, contextlib.suppress(OSError, asyncio.TimeoutError):
                tcp.setblocking(False)
                await asyncio.wait_for(loop.sock_connect(tcp, (host.address, 22)), 0.5)
                left = max(0.5, limit - time.monotonic())
                if (await asyncio.wait_for(loop.sock_recv(tcp, 64), left)).startswith(b"SSH-"):
                    return host.name
            await asyncio.sleep(0.03)
        return None

    async def greet_all() -> set[str]:
        return {name for name in await asyncio.gather(*map(greet, hosts)) if name}

    return asyncio.run(greet_all())


def close_connections(place: Place, addresses: Sequence[str]) -> None:
    """End the shared SSH connections to hosts that go; they would hang, and they are processes that we leave."""
    for address in addresses:
        path = place.sockets / address
        if path.exists():
            argv = ["ssh", "-F", "none", "-O", "exit", "-o", f"ControlPath={path}", address]
            with contextlib.suppress(TestbedError):  # its socket was left by a master that was killed
                run(place, argv)
            path.unlink(missing_ok=True)


def remove_machines(place: Place, names: Sequence[str]) -> None:
    """End these hosts, and remove all that is left of them."""
    facts = [place.facts(name) for name in names]
    close_connections(place, [fact["address"] for fact in facts if fact])
    end([place.machine(name) for name in names])
    unplug(place, [fact["port"] for fact in facts if fact])
    for name in names:
        shutil.rmtree(place.machine(name))


def ssh_options(place: Place) -> list[str]:
    """How ssh gets to a host from the machine's own network: by `connect`, which hands over a connected socket."""
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    proxy = [python, "-I", "-S", str(place.program), "--dir", str(place.directory), "connect", "%h", "%p"]
    values = {
        "ProxyCommand": shlex.join(proxy),
        "ProxyUseFdpass": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
        "ControlMaster": "auto",
        "ControlPersist": "60s",
        # In the testbed's own folder: another testbed may have hosts with the same addresses.
        "ControlPath": f"{place.sockets}/%h",
    }
    return [word for key, value in values.items() for word in ("-o", f"{key}={value}")]


# ---- what this machine can -------------------------------------------------------------------------------------


def try_script(*script: str, unshare: str) -> bool:
    """Whether a shell script works in namespaces that are thrown away with it."""
    argv = ["unshare", *unshare.split(), "sh", "-ec", "\n".join(script)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def native_works() -> bool:
    """Whether this kernel has all link types of the lab. Asking may make it load their modules."""
    kinds = ("veth", "bridge", "vxlan id 1 dstport 4789", "ipip local 192.0.2.1 remote 192.0.2.2")
    commands = (f"ip link add probe{number} type {kind}" for number, kind in enumerate(kinds))
    return try_script("ip link set lo up", *commands, unshare="-n")


def overlay_works() -> bool:
    """Whether a copy-on-write view of / can be had."""
    return try_script(
        "mount -t tmpfs tmpfs /tmp",
        "mkdir /tmp/upper /tmp/work /tmp/root",
        "mount -t overlay -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work overlay /tmp/root",
        "echo 1 >/tmp/root/testbed-probe",
        unshare="-m",
    )


def resolve(form: str, mode: str) -> tuple[str, str]:
    if form == "auto":
        form = "native" if native_works() else "guest"
    if mode == "auto":
        mode = "overlay" if form == "guest" or overlay_works() else "light"
    return form, mode


def missing_packages(form: str) -> list[str]:
    """What has to be installed, by Debian's names."""
    needs = {"sshd": "openssh-server", "ssh": "openssh-client", "ip": "iproute2"}
    if form == "guest":
        needs.update({"linux.uml": "user-mode-linux", "modprobe": "kmod"})
    return sorted(package for program, package in needs.items() if not shutil.which(program, path=PATH))


# ---- commands --------------------------------------------------------------------------------------------------


def settings_of(options: argparse.Namespace, place: Place) -> Settings:
    """The command line's settings; raises TestbedError for those that cannot be."""
    form, mode = resolve(options.form, options.mode)
    try:
        subnet = ipaddress.IPv4Network(options.subnet)
        outside_address = str(ipaddress.IPv4Address(options.outside_address))
    except ValueError as error:
        raise TestbedError(str(error)) from error
    if subnet.prefixlen > 24:
        raise TestbedError(f"{subnet}: the subnet must be a /24 or larger")
    names = options.names.split(",") if options.names else default_names(options.hosts)
    if not 1 <= len(names) <= 50:
        raise TestbedError(f"{len(names)} hosts: from 1 to 50 are possible")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", options.nic) or options.nic == "lo":
        raise TestbedError(f"{options.nic!r} cannot be the name of a network interface")
    binds = tuple(path for path in options.binds.split(",") if path)
    for path in binds:
        if not os.path.isabs(path) or not os.path.isdir(path) or re.search(r"\s", path):
            raise TestbedError(f"bind {path!r}: not the absolute path (without spaces) of a folder of this machine")
    groups = json_option("groups", options.groups) or GROUPS
    host_vars, group_vars = (json_option(name, getattr(options, name)) for name in ("host_vars", "group_vars"))
    unknown = sorted(set(group_vars) - set(groups))
    if unknown:
        raise TestbedError(f"variables of groups that the inventory does not have: {', '.join(unknown)}")
    inventory = Path(options.inventory) if options.inventory else place.directory / "hosts"
    if not inventory.is_absolute() or inventory.suffix not in ("", ".yml", ".yaml"):
        raise TestbedError(f"inventory {inventory}: give an absolute path that ends in .yml or has no suffix")
    return Settings(
        form=form,
        mode=mode,
        hosts=plan_hosts(names, subnet, options.outside),
        subnet=subnet,
        nic=options.nic,
        outside=options.outside,
        outside_address=outside_address,
        memory=options.memory,
        binds=binds,
        python=options.python,
        groups=groups,
        host_vars=host_vars,
        group_vars=group_vars,
        inventory=inventory,
    )


def json_option(name: str, text: str) -> dict[str, Any]:
    """The value of an option in JSON, a dictionary; an empty one without it."""
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise TestbedError(f"{name}: {error}") from error
    if not isinstance(value, dict):
        raise TestbedError(f"{name}: {text} is no dictionary")
    return value


def make_keys(place: Place) -> bool:
    """The hosts' key and the client's key; a pair that a killed run left half is made anew."""
    changed = False
    for name in ("host", "client"):
        if (place.keys / name).exists():
            continue
        place.keys.mkdir(mode=0o700, exist_ok=True)
        new = place.keys / "new"
        for path in (new, new.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        run(place, ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"testbed-{name}", "-f", str(new)])
        new.with_suffix(".pub").rename(place.keys / f"{name}.pub")
        new.rename(place.keys / name)
        changed = True
    return changed


def install(place: Place, check: bool = False) -> bool:
    """Put this program and its scripts where a later run and each ProxyCommand find them; says whether that changes."""
    modes = {"testbed.py": 0o644, "sshd_config": 0o644, "host-init": 0o644, "native-root": 0o755, "guest-root": 0o755}
    changed = [write(place.lib / name, (SOURCE / name).read_bytes(), mode, check) for name, mode in modes.items()]
    return any(changed)


def standing(place: Place, settings: Settings) -> set[str]:
    """The hosts that are just as they are wanted, and answer."""
    if not (place.keys / "client").exists() or not network_stands(place, settings):
        return set()
    same = [
        host
        for host in settings.hosts
        if process(place.machine(host.name)) and place.facts(host.name).get("digest") == digest(host, settings, place)
    ]
    return answering(place, same, 5.0 if settings.form == "native" else 20.0)


def check_inventory(place: Place, path: Path) -> None:
    if path.exists() and not path.read_text(errors="replace").startswith(place.signature):
        raise TestbedError(f"{path} is not this testbed's inventory: not overwritten")


def up(options: argparse.Namespace, place: Place) -> dict[str, Any]:
    """Make what is missing of the testbed, and remove what is too much."""
    settings = settings_of(options, place)
    text = inventory_text(settings, place)
    place.check_ours()
    check_inventory(place, settings.inventory)
    if options.check:
        kept = standing(place, settings)
        same_text = settings.inventory.is_file() and settings.inventory.read_text() == text
        return result(place, settings, kept, place.made(), changed=not same_text or bool(install(place, check=True)))
    missing = missing_packages(settings.form)
    if missing:
        raise TestbedError(f"please install: {' '.join(missing)}")
    with place.locked():
        place.check_ours()
        before = place.known().get("inventory", str(settings.inventory))
        changed = before != str(settings.inventory) and remove_inventory(Path(before), place)
        write(place.mark, json.dumps({"inventory": str(settings.inventory)}) + "\n")
        place.sockets.mkdir(mode=0o700, exist_ok=True)
        changed |= bool(make_keys(place)) | bool(install(place))
        had = place.made()
        kept = standing(place, settings)
        # Without a host to keep, the network goes too: it may have another subnet, or be broken.
        remove_machines(place, [name for name in had if name not in kept and (name != MANAGEMENT or not kept)])
        todo = [host for host in settings.hosts if host.name not in kept]
        if not kept:
            make_network(place, settings)
        if todo:
            make_hosts(place, settings, todo, patience(options, settings, todo))
        changed |= write(settings.inventory, text)
    return result(place, settings, kept, had, changed)


def patience(options: argparse.Namespace, settings: Settings, todo: Sequence[Host]) -> float:
    """Guests boot in parallel, but share the machine's cores."""
    return options.timeout or 30.0 + (8.0 if settings.form == "guest" else 1.0) * len(todo)


def result(place: Place, settings: Settings, kept: set[str], had: Sequence[str], changed: bool) -> dict[str, Any]:
    """What `up` did or, in check mode, would do."""
    wanted = [host.name for host in settings.hosts]
    made = [name for name in wanted if name not in kept]
    removed = [name for name in had if name not in wanted and name != MANAGEMENT]
    return {
        "changed": bool(changed or made or removed),
        "form": settings.form,
        "mode": settings.mode if settings.form == "native" else None,
        "kept": [name for name in wanted if name in kept],
        "made": made,
        "removed": removed,
        "directory": str(place.directory),
        "inventory": str(settings.inventory),
    }


def down(options: argparse.Namespace, place: Place) -> dict[str, Any]:
    """Remove all of the testbed."""
    place.check_ours()
    there = place.directory.exists()
    if there and not options.check:
        with place.locked():
            place.check_ours()
            names = place.made()
            remove_machines(place, names)
            if place.sockets.is_dir():
                close_connections(place, [path.name for path in place.sockets.iterdir()])
            inventory = place.known().get("inventory")
            if inventory:
                remove_inventory(Path(inventory), place)
            place.clear()
    return {"changed": there, "directory": str(place.directory)}


def status(options: argparse.Namespace, place: Place) -> dict[str, Any]:
    """What stands."""
    names = [name for name in place.made() if name != MANAGEMENT]
    hosts = [Host(name, 0, place.facts(name).get("address", "")) for name in names]
    talking = answering(place, hosts, options.timeout or 5.0)
    return {
        "network": network(place),
        "hosts": {
            host.name: {
                "address": host.address,
                "pid": process(place.machine(host.name)),
                "answers": host.name in talking,
            }
            for host in hosts
        },
    }


def probe(options: argparse.Namespace, place: Place) -> dict[str, Any]:
    """What this machine can, and what has to be installed."""
    form, mode = resolve(options.form, options.mode)
    return {"form": form, "mode": mode, "missing": missing_packages(form), "apt": bool(shutil.which("apt-get"))}


def enter(options: argparse.Namespace, place: Place) -> NoReturn:
    """Run a command, or a shell, on a host; `mgmt` is the network between the hosts, with the machine's files."""
    pid = network(place)
    if not pid:
        raise TestbedError(f"no testbed stands in {place.directory}")
    if options.host == MANAGEMENT:
        argv = ["nsenter", "-t", str(pid), "-n", *(options.command or ["sh"])]
    else:
        address = place.facts(options.host).get("address")
        if not address:
            raise TestbedError(f"no host {options.host!r}; there are: {', '.join(place.made())}")
        argv = ["ssh", "-F", "none", "-i", str(place.keys / "client"), *ssh_options(place), f"root@{address}"]
        argv += [shlex.join(options.command)] if options.command else []
    os.execvp(argv[0], argv)


def connect(options: argparse.Namespace, place: Place) -> None:
    """ssh's ProxyCommand with ProxyUseFdpass: hand a connected socket to ssh, and be gone."""
    pid = network(place)
    if not pid:
        raise TestbedError(f"no testbed stands in {place.directory}")
    with socket_in(pid) as tcp, socket.socket(fileno=1) as to_ssh:
        tcp.connect((options.host, options.port))
        socket.send_fds(to_ssh, [b"\0"], [tcp.fileno()])


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", default=DIRECTORY, help="the testbed's folder (%(default)s)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, does: Callable[[argparse.Namespace, Place], Any]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=(does.__doc__ or "").partition("\n")[0])
        added.set_defaults(does=does)
        return added

    def forms(added: argparse.ArgumentParser) -> None:
        added.add_argument("--form", choices=["auto", "native", "guest"], default="auto")
        added.add_argument("--mode", choices=["auto", "light", "overlay"], default="auto", help="of native hosts")

    added = command("up", up)
    forms(added)
    added.add_argument("--hosts", type=int, default=3, metavar="COUNT")
    added.add_argument("--names", default="", metavar="NAME,...", help="instead of vms100, vms101, ...")
    added.add_argument("--subnet", default="192.168.26.0/24")
    added.add_argument("--nic", default="ens32", help="the hosts' interface (%(default)s)")
    added.add_argument("--outside", action=argparse.BooleanOptionalAction, default=True, help="one plays the Internet")
    added.add_argument("--outside-address", default="203.0.113.10")
    added.add_argument("--memory", type=int, default=256, metavar="MB", help="of a guest (%(default)s)")
    added.add_argument("--binds", default="", metavar="DIR,...", help="folders that hosts see live, read-only")
    added.add_argument("--python", default="/usr/bin/python3", help="the interpreter on the hosts (%(default)s)")
    added.add_argument("--inventory", default="", metavar="FILE", help="where to write it (DIR/hosts)")
    added.add_argument("--groups", default="", metavar="JSON", help="the inventory's groups: all, or a list of members")
    added.add_argument("--host-vars", default="", metavar="JSON", help="the variables of hosts in the inventory")
    added.add_argument("--group-vars", default="", metavar="JSON", help="the variables of groups in the inventory")
    added.add_argument("--timeout", type=float, default=0.0, metavar="SECONDS", help="for the hosts to come up")
    added.add_argument("--check", action="store_true", help="only say what would be done")
    command("down", down).add_argument("--check", action="store_true", help="only say what would be done")
    command("status", status).add_argument("--timeout", type=float, default=0.0, metavar="SECONDS")
    forms(command("probe", probe))
    added = command("enter", enter)
    added.add_argument("host")
    added.add_argument("command", nargs=argparse.REMAINDER)
    added = command("connect", connect)
    added.add_argument("host")
    added.add_argument("port", type=int)
    return parser


def main() -> int:
    options = arguments().parse_args()
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{PATH}"
    try:
        if os.geteuid() != 0:
            raise TestbedError("namespaces and taps need root")
        answer = options.does(options, Place(options.dir))
    except (TestbedError, OSError) as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
