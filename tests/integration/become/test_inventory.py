# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as hosts, asked from real hosts; the console in them; what the info modules found, over several hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.become.support import HOSTS, Bed, ansible, bed

CONFIG = "lab.netns.yml"
TEXT = {"ANSIBLE_STDOUT_CALLBACK": "linuxnet.lab.text", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}


@pytest.fixture(scope="module")
def hosts() -> Iterator[Bed]:
    with bed() as made:
        made.run("enter", "vms101", "sh", "-c", "ip netns del red; ip netns add green; ip netns add '{{1}}'")
        yield made


@pytest.fixture
def folder(hosts: Bed, tmp_path: Path) -> Path:
    """An inventory as people have it: names in one file, how they are reached in another, by a template."""
    (tmp_path / "hosts").write_text("[lab]\n" + "\n".join(HOSTS) + "\n", encoding="utf-8")
    reached = f"{{{{ {hosts.addresses!r}[inventory_hostname] }}}}"
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/lab.yml").write_text(
        yaml.safe_dump({**hosts.variables, "ansible_host": reached}), encoding="utf-8"
    )
    return tmp_path


def configure(folder: Path, **options: Any) -> None:
    content = {"plugin": "linuxnet.lab.netns", **options}
    (folder / CONFIG).write_text(yaml.safe_dump(content), encoding="utf-8")


def read(folder: Path, *sources: str) -> dict[str, Any]:
    """The inventory, with what was said while it was read under "said"."""
    arguments = [word for source in sources or (CONFIG,) for word in ("-i", source)]
    done = ansible("ansible-inventory", *arguments, "--list", cwd=folder)
    return {**json.loads(done.stdout), "said": " ".join(done.stderr.split())}


def test_the_hosts_are_asked(folder: Path) -> None:
    configure(folder, hosts=["hosts"])
    found = read(folder)
    assert {
        name: found[name]["hosts"] for name in ("lab", "vms100_netns", "vms101_netns", "netns_red", "netns_green")
    } == {
        "lab": list(HOSTS),
        "vms100_netns": ["red.vms100"],
        "vms101_netns": ["green.vms101"],
        "netns_red": ["red.vms100"],
        "netns_green": ["green.vms101"],
    }
    assert set(found["netns"]["children"]) == {"vms100_netns", "vms101_netns", "netns_red", "netns_green"}
    red = found["_meta"]["hostvars"]["red.vms100"]
    assert red["netns_name"] == red["ansible_become_user"] == "red" and red["netns_host"] == "vms100"
    assert red["ansible_become"] is True and red["ansible_become_method"] == "linuxnet.lab.netns"
    assert "The network namespace '{{1}}' of vms101 is left out" in found["said"]

    done = ansible("ansible", "-i", CONFIG, "netns", "-m", "shell", "-a", "hostname; ip netns identify", cwd=folder)
    assert "red.vms100 | CHANGED | rc=0 >>\nvms100\nred\n" in done.stdout
    assert "green.vms101 | CHANGED | rc=0 >>\nvms101\ngreen\n" in done.stdout


def test_a_task_that_is_delegated_goes_to_the_right_host(folder: Path) -> None:
    configure(folder, hosts=["hosts"])
    look = {"ansible.builtin.shell": "hostname; ip netns identify", "delegate_to": "red.vms100", "register": "seen"}
    told = {"ansible.builtin.assert": {"that": "seen.stdout_lines == ['vms100', 'red']"}}
    play = {"hosts": "green.vms101,vms101", "gather_facts": False, "tasks": [look, told]}
    (folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    ansible("ansible-playbook", "-i", CONFIG, "play.yml", cwd=folder)


def test_the_console(folder: Path) -> None:
    configure(folder, hosts=["hosts"])
    typed = "cd red.vms100\ncommand ip -br link\ncd netns\nls /sys/class/net\nexit\n"
    done = ansible("ansible-console", "-i", CONFIG, cwd=folder, given=typed)
    first, second = done.stdout.split("@netns (2)")[0], done.stdout.split("@netns (2)")[1]
    assert "@red.vms100 (1)" in first and "red0 " in first and "host0" not in first
    assert "red.vms100 | CHANGED | rc=0 >>\nlo\nred0\n" in second and "green.vms101 | CHANGED | rc=0 >>\nlo\n" in second


def test_a_namespace_without_a_name(hosts: Bed, folder: Path) -> None:
    hold = "setsid unshare -n sleep 600 </dev/null >/dev/null 2>&1 & echo $! >/run/holder"
    hosts.run("enter", "vms100", "sh", "-c", hold)
    try:
        configure(folder, hosts=["hosts"], pattern="vms100", unnamed=True)
        found = read(folder)
        (name,) = [one for one in found["vms100_netns"]["hosts"] if one != "red.vms100"]
        assert name.startswith("pid")
        done = ansible(
            "ansible", "-i", CONFIG, name, "-m", "shell", "-a", "ls /sys/class/net; cat /run/holder", cwd=folder
        )
        assert done.stdout == f"{name} | CHANGED | rc=0 >>\nlo\n{name[3:].partition('.')[0]}\n"
    finally:
        hosts.run("enter", "vms100", "sh", "-c", "kill $(cat /run/holder)")


@pytest.mark.parametrize("sources", [("hosts", CONFIG), (".",)])
def test_the_sources_before_are_asked_even_in_one_folder(folder: Path, sources: tuple[str, ...]) -> None:
    configure(folder)
    found = read(folder, *sources)
    assert found["netns_red"]["hosts"] == ["red.vms100"] and found["lab"]["hosts"] == list(HOSTS)


def test_a_folder_that_holds_the_file_itself(folder: Path) -> None:
    configure(folder, hosts=["."], pattern="vms100", hostname="{host}-{netns}", become=True)
    found = read(folder)
    assert found["netns_red"]["hosts"] == ["vms100-red"] and "netns_green" not in found


def test_a_host_that_does_not_answer_is_a_warning(folder: Path) -> None:
    with (folder / "hosts").open("a", encoding="utf-8") as more:
        more.write(
            "vms109 ansible_host=192.0.2.1 ansible_ssh_common_args='-o ConnectTimeout=1 -o ProxyCommand=false'\n"
            "vms108 ansible_connection=local ansible_python_interpreter=/bin/false\n"  # the module fails there
        )
    configure(folder, hosts=["hosts"])
    found = read(folder)
    assert found["netns_red"]["hosts"] == ["red.vms100"] and not {"vms108_netns", "vms109_netns"} & set(found)
    assert all(f"{host} does not tell its network namespaces" in found["said"] for host in ("vms108", "vms109"))


def test_stated_namespaces_need_nobody(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[lab]\nvms100 ansible_host=192.0.2.1\nvms101\n[other]\nvms102\n", encoding="utf-8")
    configure(
        tmp_path, hosts=["hosts"], namespaces={"lab": ["red"], "vms102": ["ns1", "ns2"]},
        keyed_groups=[{"key": "netns_name", "prefix": "all"}], compose={"color": "netns_name | upper"},
    )  # fmt: skip
    found = read(tmp_path)
    assert set(found["_meta"]["hostvars"]) >= {"red.vms100", "red.vms101", "ns1.vms102", "ns2.vms102"}
    assert found["all_red"]["hosts"] == ["red.vms100", "red.vms101"]
    assert found["_meta"]["hostvars"]["red.vms101"]["color"] == "RED"
    # the address is the host's, who has none of its own is reached by its name
    done = ansible("ansible", "-i", CONFIG, "netns_red", "-m", "debug", "-a", "var=ansible_host", cwd=tmp_path)
    assert done.stdout.count('"ansible_host": "192.0.2.1"') == done.stdout.count('"ansible_host": "vms101"') == 1


def test_the_cache(hosts: Bed, folder: Path) -> None:
    configure(folder, hosts=["hosts"], cache=True, cache_plugin="jsonfile", cache_connection=str(folder / "cache"))
    assert "netns_blue" not in read(folder)
    hosts.run("enter", "vms100", "ip", "netns", "add", "blue")
    try:
        assert "netns_blue" not in read(folder)
        done = ansible("ansible-inventory", "-i", CONFIG, "--list", "--flush-cache", cwd=folder)
        assert json.loads(done.stdout)["netns_blue"]["hosts"] == ["blue.vms100"]
    finally:
        hosts.run("enter", "vms100", "ip", "netns", "del", "blue")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"namespaces": {"nosuch": ["red"]}}, "there is no host and no group nosuch"),
        ({"namespaces": {"lab": ["red"]}, "hostname": "{name}"}, "has a field 'name'"),
        ({"namespaces": {"lab": ["red"]}, "hostname": "{netns}"}, "is called red, which is another host"),
        ({"hosts": ["nowhere"]}, "nowhere"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    (tmp_path / "hosts").write_text("[lab]\nvms100\nvms101\n", encoding="utf-8")
    configure(tmp_path, **{"hosts": ["hosts"], **options})
    done = ansible(
        "ansible-inventory",
        "-i",
        CONFIG,
        "--list",
        cwd=tmp_path,
        ok=False,
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1",
    )
    assert says in " ".join(done.stderr.split())


def test_answers_side_by_side(hosts: Bed, folder: Path) -> None:
    """The text of the records: a table over hosts, a listing of one, a namespace before it."""
    for host, state in zip(HOSTS, ("permanent", "noarp")):
        hosts.run(
            "enter",
            host,
            "ip",
            "neigh",
            "replace",
            "192.168.26.9",
            "lladdr",
            "02:00:00:00:00:09",
            "dev",
            "ens32",
            "nud",
            state,
        )
    hosts.run(
        "enter",
        "vms100",
        "sh",
        "-c",
        "ip -n red link set red0 up; ip -n red neigh replace 10.0.0.9 dev red0 nud permanent lladdr 02:00:00:00:00:09",
    )
    configure(folder, hosts=["hosts"])
    ask = ["linuxnet.lab.neighbor_info", "dst=192.168.26.9 nud=permanent,noarp"]
    done = ansible("ansible", "-i", CONFIG, "lab", "-m", ask[0], "-a", ask[1], cwd=folder, **TEXT)
    assert sorted(done.stdout.splitlines()) == [
        "vms100 | 192.168.26.9 dev ens32 lladdr 02:00:00:00:00:09 PERMANENT",
        "vms101 | 192.168.26.9 dev ens32 lladdr 02:00:00:00:00:09 NOARP",
    ]
    typed = f"{' '.join(ask)}\ncd vms100\n{' '.join(ask)}\n{ask[0]} netns=red\ncommand hostname\n{ask[0]} netns=nosuch\nexit\n"
    done = ansible("ansible-console", "-i", CONFIG, cwd=folder, given=typed, **TEXT)
    assert "vms101       | 192.168.26.9 dev ens32 lladdr 02:00:00:00:00:09 NOARP\n" in done.stdout
    assert "red.vms100   | -\n" in done.stdout and "green.vms101 | -\n" in done.stdout
    assert "vms100 | ok >>\n192.168.26.9 dev ens32 lladdr 02:00:00:00:00:09 PERMANENT\n" in done.stdout
    assert "vms100 | ok >>\nred | 10.0.0.9 dev red0 lladdr 02:00:00:00:00:09 PERMANENT\n" in done.stdout
    assert "vms100 | CHANGED | rc=0 >>\nvms100\n" in done.stdout
    assert "vms100 | FAILED! =>" in done.stdout and "there is no network namespace nosuch" in done.stdout


def test_playbooks_look_as_ever_and_have_the_filter(hosts: Bed, folder: Path) -> None:
    configure(folder, hosts=["hosts"])
    by_host = "dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found')))"
    tasks = [
        {"name": "Look", "linuxnet.lab.neighbor_info": {"dst": "192.0.2.99"}, "register": "found"},
        {
            "name": "Show",
            "ansible.builtin.debug": {"msg": f"{{{{ {by_host} | linuxnet.lab.table }}}}"},
            "run_once": True,
        },
    ]
    (folder / "play.yml").write_text(
        json.dumps([{"hosts": "lab", "gather_facts": False, "tasks": tasks}]), encoding="utf-8"
    )
    # one after the other, so that the lines come in one order
    outputs = [
        ansible("ansible-playbook", "-f", "1", "-i", "hosts", "play.yml", cwd=folder, **env).stdout
        for env in ({}, TEXT)
    ]
    assert outputs[0] == outputs[1]
    assert '"vms100 | -",' in outputs[0] and '"vms101 | -"' in outputs[0]
