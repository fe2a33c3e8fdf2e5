# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin netns: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: netns
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Network namespaces as hosts
description:
  - Makes a host of each network namespace of the hosts of an inventory, C(red.vms100) of the namespace C(red) on C(vms100).
  - Whatever runs on such a host runs in the namespace, by the become plugin P(linuxnet.lab.netns#become).
  - It is reached as its host is. All C(ansible_*) variables of the host are asked from the host when they are needed.
  - The hosts are asked for their namespaces by Ansible itself when the inventory is read, or the namespaces are stated in O(namespaces).
    What they are asked with is in the inventory and in C(ansible.cfg); options of the command line do not reach so far. A host that
    does not answer gets a warning.
  - The groups are C(netns) with all, C(vms100_netns) with those of the host C(vms100), and C(netns_red) with all that are called C(red).
  - The name of its configuration file ends with C(netns.yml) or C(netns.yaml).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [linuxnet.lab.netns]
  hosts:
    description:
      - The inventory of the hosts, one or more sources as for C(-i). A path is relative to the configuration file.
      - Without it the sources that come before this one, from C(-i), C(ansible.cfg) or in the same folder.
    type: list
    elements: str
    default: []
  pattern:
    description: Which hosts are asked.
    type: str
    default: all
  namespaces:
    description: The namespaces of a group or a host, by its name. If there are any, no host is asked.
    type: dict
    default: {}
  unnamed:
    description:
      - Namespaces without a name are hosts too, if the hosts are asked as root.
      - They are called by their pod (C(POD.NAMESPACE)), their container, or a process in them (C(pid4242)).
    type: bool
    default: false
  hostname:
    description: What a namespace is called, with the fields C({netns}) and C({host}).
    type: str
    default: "{netns}.{host}"
  become:
    description: Ask as root, through C(sudo) or the host's own C(ansible_become_method).
    type: bool
    default: false
notes:
  - Tasks on such a host are root's, in the namespace, whatever C(become), C(become_method) and C(become_user) they state themselves.
  - The host has the variables C(netns_name) and C(netns_host), for O(compose), O(groups) and O(keyed_groups) too.
seealso:
  - module: linuxnet.lab.netns_info
  - plugin: linuxnet.lab.netns
    plugin_type: become
"""

EXAMPLES = r"""
---
# lab.netns.yml: ask the hosts of the file "hosts" beside it
plugin: linuxnet.lab.netns
hosts: [hosts]

---
# Ask none: the documented namespaces, by group
plugin: linuxnet.lab.netns
hosts: [hosts]
namespaces:
  bridge_hosts: [red, green]
  vms100: [ns1, ns2]

# $ ansible-console -i lab.netns.yml red.vms100
# $ ansible -i lab.netns.yml netns_red -a 'ip route'
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources
from ansible_collections.linuxnet.lab.plugins.plugin_utils.netns_hosts import METHOD, called, connection, listed

Found = dict[str, list[list[str]]]  # {host: [[what a namespace is called, what it is entered by]]}
ASKING = "LINUXNET_LAB_NETNS_ASKING"


@contextmanager
def asking() -> Iterator[None]:
    """While the hosts are looked for and asked, this plugin keeps still: its own file may be among their sources."""
    os.environ[ASKING] = "1"
    try:
        yield
    finally:
        del os.environ[ASKING]


def ask(sources: list[str], pattern: str, become: bool) -> dict[str, dict[str, Any]]:
    """{host: its answer}. AnsibleParserError if Ansible could not ask at all."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ansible", "adhoc", pattern, "--tree", folder, "-m", "linuxnet.lab.netns_info"]
        command += [f"--inventory={source}" for source in sources] + ["--become"] * become
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        answers = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in Path(folder).iterdir()}
    if done.returncode and not answers:
        raise AnsibleParserError(f"the hosts cannot be asked for their namespaces: {done.stderr or done.stdout}")
    return answers


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Adds the namespaces of the hosts to the inventory."""

    NAME = METHOD
    # Templates are ours and the user's; what a host says gets in as names only, and a name cannot be one.
    trusted_by_default = True

    def verify_file(self, path: str) -> bool:
        """Whether the file is for this plugin."""
        return bool(super().verify_file(path)) and path.endswith(("netns.yml", "netns.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read the configuration, ask, add."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        if ASKING in os.environ:
            return
        try:
            called(self.get_option("hostname"), "red", "host")
        except ValueError as error:
            raise AnsibleParserError(str(error)) from error
        with asking():
            sources = self._sources(path)
            found = self._stated() if self.get_option("namespaces") else self._asked(path, sources, cache)
        for host in [name for name in inventory.hosts if name in found]:
            variables = self._variables(inventory.get_host(host), sources)
            for netns, become_user in found[host]:
                self._add(host, netns, {**connection(host, variables), "ansible_become_user": become_user})

    def _sources(self, path: str) -> list[str]:
        """Where the hosts come from; those of the option `hosts` are put into the inventory."""
        given = self.get_option("hosts")
        if not given:
            return [source for source in self.inventory.processed_sources if source]
        folder = os.path.dirname(os.path.abspath(path))
        sources = [source if "," in source else os.path.join(folder, source) for source in given]
        self._include(sources)
        return sources

    def _include(self, sources: list[str]) -> None:
        """All hosts, groups and variables of other sources."""
        other = InventoryManager(loader=self.loader, sources=sources)
        for name, group in other.groups.items():
            self.inventory.add_group(name)
            self._set(
                name, combine_vars(group.vars, get_vars_from_inventory_sources(self.loader, sources, [group], "all"))
            )
            self.inventory.set_variable(name, "ansible_group_priority", group.priority)
        for name, host in other.hosts.items():
            self.inventory.add_host(name)
            self._set(
                name, combine_vars(host.vars, get_vars_from_inventory_sources(self.loader, sources, [host], "all"))
            )
        for name, group in other.groups.items():
            for child in [*group.child_groups, *group.hosts]:
                self.inventory.add_child(name, child.name)

    def _set(self, entity: str, variables: dict[str, Any]) -> None:
        for name, value in variables.items():
            self.inventory.set_variable(entity, name, value)

    def _stated(self) -> Found:
        """The namespaces of the option."""
        found: Found = {}
        for name, namespaces in self.get_option("namespaces").items():
            if name not in self.inventory.groups and name not in self.inventory.hosts:
                raise AnsibleParserError(f"namespaces: there is no host and no group {name}")
            group = self.inventory.groups.get(name)
            for host in [one.name for one in group.get_hosts()] if group else [name]:
                found.setdefault(host, []).extend([str(netns)] * 2 for netns in namespaces)
        return found

    def _asked(self, path: str, sources: list[str], cache: bool) -> Found:
        """The namespaces that the hosts, or the cache, tell."""
        self.load_cache_plugin()
        key, wanted = self.get_cache_key(path), self.get_option("cache")
        if wanted and cache and key in self._cache:
            return dict(self._cache[key])
        found = {}
        for host, answer in ask(sources, self.get_option("pattern"), self.get_option("become")).items():
            if "namespaces" in answer:  # what --tree keeps of a failure does not say that it is one
                found[host] = listed(answer, self.get_option("unnamed"))
            else:
                self.display.warning(f"{host} does not tell its network namespaces: {answer.get('msg')}")
        if wanted:
            self._cache[key] = found
        return found

    def _variables(self, host: Any, sources: list[str]) -> set[str]:
        """The names of the variables that a host has by itself, by its groups, or by files beside its source."""
        names = set(host.get_vars())
        for group in host.get_groups():
            names.update(group.vars)
        return names.union(get_vars_from_inventory_sources(self.loader, sources, [*host.get_groups(), host], "all"))

    def _add(self, host: str, netns: str, variables: dict[str, str]) -> None:
        try:
            name = called(self.get_option("hostname"), netns, host)
        except ValueError as error:
            self.display.warning(f"The network namespace {netns!r} of {host} is left out: {error}")
            return
        if name in self.inventory.hosts:
            raise AnsibleParserError(
                f"hostname: the namespace {netns} of {host} is called {name}, which is another host"
            )
        self.inventory.add_host(name)
        everything = self.inventory.add_group("netns")
        for kind in (f"{host}_netns", f"netns_{netns}"):
            group = self.inventory.add_group(self._sanitize_group_name(kind))
            self.inventory.add_child(group, name)
            self.inventory.add_child(everything, group)
        own = {"netns_name": netns, "netns_host": host, "ansible_become": True, "ansible_become_method": METHOD}
        self._set(name, {**variables, **own})
        known, strict = self.inventory.get_host(name).get_vars(), self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), known, name, strict)
        self._add_host_to_composed_groups(self.get_option("groups"), known, name, strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, name, strict)
