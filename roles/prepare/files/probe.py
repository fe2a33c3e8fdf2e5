# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does this host have that the lab needs? Prints one line of JSON. Runs on the host, with nothing but Python.

Arguments: a JSON object {minimum: version of pyroute2, kinds: [kinds of links], load: whether modules may be loaded to
find out about them, do: probe | record | remove, source: how pyroute2 came here}. It is sent as text to
`python -c`, so it asks for no module and no file to be there before.
"""

import fcntl
import json
import os
import shutil
import socket
import struct
import sys
import sysconfig

RECORD = "/var/lib/linuxnet.lab/prepare.json"  # how pyroute2 came here, if it is this role that brought it
LEDGER = "/run/linuxnet.lab/ledger.json"  # there is one as long as the collection holds something on this host
INSTALLER = "linuxnet.lab"
CLONE_NEWNET = 0x40000000
RTM_NEWLINK, RTM_DELLINK, RTM_GETADDR = 16, 17, 22
REQUEST, ACK, DUMP, EXCL, CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
SIOCGIFMTU = 0x8921
WAIT = 3  # seconds to find out whether packages can be fetched


# ---- pyroute2


def numbers(version):
    return [int(part) for part in version.split(".") if part.isdigit()]


def pyroute2(minimum):
    """Version, who installed it, and whether it is new enough; without importing it (which is slow) if that can be."""
    import importlib.util

    if importlib.util.find_spec("pyroute2") is None:
        return {"version": None, "installer": None, "usable": False}
    version = installer = None
    try:
        from importlib.metadata import distribution

        found = distribution("pyroute2")
        version = found.version
        installer = (found.read_text("INSTALLER") or "").strip()
    except Exception:  # no metadata: look for what the lowest version has
        try:
            from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

            ifinfmsg.ifinfo.data_map["ipip"]
            version = minimum
        except Exception:
            version = None
    usable = version is not None and numbers(version) >= numbers(minimum)
    return {"version": version, "installer": installer or None, "usable": usable}


def recorded():
    try:
        with open(RECORD) as file:
            return json.load(file).get("source")
    except (OSError, ValueError):
        return None


def record(source):
    os.makedirs(os.path.dirname(RECORD), exist_ok=True)
    with open(RECORD, "w") as file:
        json.dump({"source": source}, file)


def remove():
    """Take away the controller's copy, if it is one: its metadata say who put it there (PEP 376)."""
    removed = []
    purelib = sysconfig.get_paths()["purelib"]
    for entry in sorted(os.listdir(purelib)) if os.path.isdir(purelib) else []:
        if not (entry.startswith("pyroute2-") and entry.endswith(".dist-info")):
            continue
        try:
            with open(os.path.join(purelib, entry, "INSTALLER")) as file:
                ours = file.read().strip() == INSTALLER
        except OSError:
            ours = False
        if ours:
            for name in ("pyroute2", entry):
                shutil.rmtree(os.path.join(purelib, name), ignore_errors=True)
                removed.append(os.path.join(purelib, name))
    if os.path.exists(RECORD):
        os.unlink(RECORD)
        removed.append(RECORD)
        try:
            os.rmdir(os.path.dirname(RECORD))
        except OSError:
            pass
    return removed


def mirrors():
    """(host, port) of the servers that packages come from; a proxy stands for all of them."""
    from urllib.parse import urlsplit

    found = [os.environ[name] for name in ("https_proxy", "http_proxy") if os.environ.get(name)]
    if not found:
        folders = ["/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/yum.repos.d"]
        files = [f for f in folders if os.path.isfile(f)]
        files += [os.path.join(f, e) for f in folders if os.path.isdir(f) for e in sorted(os.listdir(f))]
        for name in files:
            with open(name, errors="replace") as file:
                lines = [line for line in file if not line.startswith("#")]
            found += [word for line in lines for word in line.replace("=", " ").split() if word.startswith("http")]
    urls = [urlsplit(url) for url in dict.fromkeys(found)]
    return [(url.hostname, url.port or (443 if url.scheme == "https" else 80)) for url in urls if url.hostname][:2]


def online(default):
    """Whether one of the servers answers. In children, because a look-up of a name has no time limit of its own."""
    if not default and not os.environ.get("https_proxy"):
        return False
    children = []
    for target in mirrors():
        pid = os.fork()
        if not pid:
            code = 1
            try:
                socket.create_connection(target, WAIT).close()
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    import time

    until = time.time() + WAIT
    answered = False
    while children and time.time() < until and not answered:
        for pid in list(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.remove(pid)
                answered = answered or status == 0
        time.sleep(0.02)
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return answered


# ---- the kernel


def attribute(number, data):
    padding = b"\0" * (-len(data) % 4)
    return struct.pack("=HH", 4 + len(data), number) + data + padding


def ask(kind, flags, body):
    """One request to rtnetlink; all the messages of the answer, as (type, body)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
        channel.bind((0, 0))
        channel.send(struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, 1, 0) + body)
        found = []
        while True:
            data = channel.recv(1 << 18)
            while data:
                length, what = struct.unpack_from("=IH", data)
                found.append((what, data[16:length]))
                data = data[(length + 3) & ~3 :]
                if what in (2, 3):  # NLMSG_ERROR (an acknowledgement is one as well), NLMSG_DONE
                    return found


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        found[number] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def interfaces():
    """{name: {addresses, mtu}} of this network namespace, and the device of the default route."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        for _index, name in socket.if_nameindex():
            answer = fcntl.ioctl(channel, SIOCGIFMTU, struct.pack("=16si12x", name.encode(), 0))
            found[name] = {"addresses": [], "mtu": struct.unpack_from("=16si", answer)[1]}
    for what, body in ask(RTM_GETADDR, DUMP, bytes(8)):
        if what != 20:  # RTM_NEWADDR
            continue
        family, _length, _flags, _scope, index = struct.unpack_from("=BBBBI", body)
        fields = attributes(body[8:])
        raw = fields.get(2, fields.get(1))  # IFA_LOCAL, else IFA_ADDRESS
        if raw and family in (socket.AF_INET, socket.AF_INET6):
            try:
                found[socket.if_indextoname(index)]["addresses"].append(socket.inet_ntop(family, raw))
            except (OSError, KeyError):
                continue
    return found


def default_device():
    """The device of the default route with the lowest metric; IPv4 comes first."""
    best = []
    for path, dst, mask, dev, metric, zero in (
        ("/proc/net/route", 1, 7, 0, 6, "00000000"),
        ("/proc/net/ipv6_route", 0, 1, 9, 5, "0" * 32),
    ):
        try:
            with open(path) as file:
                rows = [line.split() for line in file]
        except OSError:
            continue
        best = [
            (int(row[metric], 16 if zero != "00000000" else 10), row[dev])
            for row in rows
            if len(row) > 8 and row[dst] == zero and row[mask].strip("0") == "" and row[dev] != "lo"
        ]
        if best:
            break
    return min(best)[1] if best else ""


def kinds(names):
    """{kind: True, False, or None where it cannot be told}. Asked in a namespace that nobody sees; loads modules."""
    try:
        if hasattr(os, "unshare"):
            os.unshare(CLONE_NEWNET)
        else:
            import ctypes

            library = ctypes.CDLL(None, use_errno=True)
            if library.unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
    except OSError:
        return dict.fromkeys(names)
    found = {}
    for name in names:
        info = attribute(1, name.encode())  # IFLA_INFO_KIND
        if name == "vxlan":
            data = attribute(1, struct.pack("=I", 1)) + attribute(15, struct.pack("!H", 4789))  # id, port
            info += attribute(2, data)
        body = bytes(16) + attribute(3, b"probe\0") + attribute(18, info)  # IFLA_IFNAME, IFLA_LINKINFO
        code = struct.unpack_from("=i", ask(RTM_NEWLINK, ACK | CREATE | EXCL, body)[-1][1])[0]
        # EEXIST: an ipip tunnel without ends is the fallback device, which each namespace has once there is the kind
        found[name] = True if code in (0, -17) else False if code == -95 else None
        if code == 0:
            ask(RTM_DELLINK, ACK, bytes(16) + attribute(3, b"probe\0"))
    return found


def without_loading(names):
    """The same without loading a module (check mode): a kind whose module is a file is taken to be there."""
    path = os.path.join("/lib/modules", os.uname().release, "modules.dep")
    files = set()
    if os.path.exists(path):
        with open(path) as file:
            files = {os.path.basename(line.split(":")[0]).split(".")[0] for line in file}
    fixed = not os.path.exists("/proc/modules")  # a kernel without modules
    found = {name: True if name in files else None for name in names}
    asked = [name for name in names if fixed or os.path.exists("/sys/module/" + name) or (files and name not in files)]
    found.update(kinds(asked) if asked else {})
    return found


def modules():
    try:
        with open("/proc/modules") as file:
            return {line.split()[0] for line in file}
    except OSError:
        return set()


def iptables():
    """The back end of iptables: nft or legacy; None if it is not installed. By its name, because a start takes long."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = shutil.which("iptables-restore", path=path)
    if found is None:
        return None
    real = os.path.basename(os.path.realpath(found))
    return "nft" if "nft" in real else "legacy"


def report(arguments):
    before = modules()
    library = pyroute2(arguments["minimum"])
    network = {"interfaces": interfaces(), "default": default_device()}
    source = recorded()
    if source is None and library["installer"] == INSTALLER:
        source = "controller"
    found = {
        "python": sys.version.split()[0],
        "interpreter": sys.executable,
        "venv": sys.prefix != sys.base_prefix,
        "purelib": sysconfig.get_paths()["purelib"],
        "root": os.geteuid() == 0,
        "pyroute2": library["version"],
        "pyroute2_usable": library["usable"],
        "pyroute2_source": source,  # None: it was here before
        "kernel": os.uname().release,
        "iptables": iptables(),
        "packages": next(
            (tool for tool in ("apt", "dnf", "yum", "zypper") if shutil.which(tool + "-get") or shutil.which(tool)),
            None,
        ),
        "online": None if library["usable"] else online(network["default"]),
        "network": network,
        "held": os.path.exists(LEDGER),
    }
    found["kinds"] = (kinds if arguments["load"] else without_loading)(arguments["kinds"])
    found["loaded"] = sorted(modules() - before)
    return found


def main():
    arguments = json.loads(sys.argv[1])
    removed = []
    if arguments["do"] == "remove":
        removed = remove()
    elif arguments["do"] == "record":
        record(arguments["source"])
    found = report(arguments) if arguments["do"] != "remove" else {}
    found["removed"] = removed
    print(json.dumps(found))


if __name__ == "__main__":
    main()
