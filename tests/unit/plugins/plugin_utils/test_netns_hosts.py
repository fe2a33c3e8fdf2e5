# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as hosts, and what the become plugin makes of its options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.linuxnet.lab.plugins.become.netns import checked, interactive
from ansible_collections.linuxnet.lab.plugins.plugin_utils.netns_hosts import called, connection, listed


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{netns}.{host}", "red.vms100"),
        ("{host}-{netns}", "vms100-red"),
        ("{netns}", "red"),
        ("{netns}@{host}", "red@vms100"),
    ],
)
def test_names(pattern: str, name: str) -> None:
    assert called(pattern, "red", "vms100") == name


@pytest.mark.parametrize(
    "pattern", ["{netns}.{hsot}", "{0}", "", "{netns}:{host}", "{netns},{host}", "{{netns}}", "{netns}[{host}]"]
)
def test_patterns_that_give_no_name(pattern: str) -> None:
    with pytest.raises(ValueError):
        called(pattern, "red", "vms100")


@pytest.mark.parametrize("netns", ["{{1}}", "a b", "a:b", "!all", "a,b", "*"])
def test_a_namespace_that_cannot_be_a_host(netns: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a host"):
        called("{netns}.{host}", netns, "vms100")


def record(
    name: str | None, netns: str, *containers: dict[str, str | None], pids: Sequence[int] = (42, 43)
) -> dict[str, Any]:
    return {"name": name, "netns": netns, "containers": list(containers), "pids": list(pids), "inode": 4026532419}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (record(None, ""), None),
        (record("default", ""), None),
        (record("red", "red"), ["red", "red"]),
        (record(None, "/proc/42/ns/net"), ["pid42", "/proc/42/ns/net"]),
        (record(None, "/var/run/docker/netns/1", pids=[]), ["inode4026532419", "/var/run/docker/netns/1"]),
        (record(None, "/tmp/{{ 1 }}"), None),
        (record(None, "/a", {"pod": None, "namespace": None, "name": "web"}), ["web", "/a"]),
        (record(None, "/a", {"pod": None, "namespace": None, "name": None}), ["pid42", "/a"]),
        (record(None, "/a", {"pod": "minio-0", "namespace": "velero", "name": "k8s_minio"}), ["minio-0.velero", "/a"]),
    ],
)
def test_what_a_namespace_is_called_and_entered_by(given: dict[str, Any], found: list[str] | None) -> None:
    assert listed({"namespaces": [given]}, unnamed=True) == ([found] if found else [])
    assert listed({"namespaces": [given]}, unnamed=False) == ([found] if found and given["name"] else [])


def test_how_the_host_is_reached_is_asked_from_it_but_not_whom_it_becomes() -> None:
    assert connection(
        "vms100", ["ansible_user", "ansible_become", "ansible_become_user", "ansible_become_method", "mine"]
    ) == {
        "ansible_host": "vms100",
        "ansible_user": "{{ hostvars['vms100']['ansible_user'] }}",
    }
    assert connection("a'b", ["ansible_host"]) == {"ansible_host": """{{ hostvars["a'b"]['ansible_host'] }}"""}


@pytest.mark.parametrize(
    ("flags", "without"),
    [
        (["-H", "-S", "-n"], ["-H", "-S"]),
        (["-HnS"], ["-HS"]),
        (["-nH"], ["-H"]),
        (["--non-interactive", "--set-home"], ["--set-home"]),
    ],
)
def test_sudo_that_is_to_ask_may_ask(flags: list[str], without: list[str]) -> None:
    assert interactive(flags) == without


@pytest.mark.parametrize("netns", ["red", "42", "/proc/42/ns/net", "/run/netns/red", "a;b", "-x"])
def test_namespaces(netns: str) -> None:
    assert checked(netns) == netns


@pytest.mark.parametrize("netns", [None, "", ".", "..", "a/b", "a b", "a\nb", "x" * 256])
def test_what_is_no_namespace(netns: str) -> None:
    with pytest.raises(AnsibleError, match=r"linuxnet\.lab\.netns: .*become_user"):
        checked(netns)
