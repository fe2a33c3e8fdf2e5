# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role says in several places must agree: defaults, argument specs, the table in the code, the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxnet.lab.plugins.plugin_utils import (
    bridge_network,
    ipip_tunnel,
    node_port,
    pod_network,
    vxlan_overlay,
)

ROOT = Path(__file__).parents[4]
TABLES = {
    module.ROLE: module.DEFAULTS for module in (bridge_network, ipip_tunnel, node_port, pod_network, vxlan_overlay)
}
ROLES = ["prepare", "echo_server", *TABLES]


def load(role: str, path: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / path).read_text())


def specs(role: str) -> dict[str, Any]:
    found: dict[str, Any] = load(role, "meta/argument_specs.yml")["argument_specs"]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specs_agree(role: str) -> None:
    defaults = load(role, "defaults/main.yml")
    for entry in specs(role).values():
        assert {name: option.get("default") for name, option in entry["options"].items()} == defaults


@pytest.mark.parametrize("role", list(TABLES))
def test_defaults_and_table_agree(role: str) -> None:
    assert {f"{role}_{option}": value for option, value in TABLES[role].items()} == load(role, "defaults/main.yml")


@pytest.mark.parametrize("role", list(TABLES))
def test_the_filter_gets_every_variable(role: str) -> None:
    passed = load(role, "vars/main.yml")[f"{role}_values"]
    assert set(passed) == set(TABLES[role]) - {"recreate", "adopt"}
    assert all(value == "{{ " + f"{role}_{option}" + " }}" for option, value in passed.items())


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_has_a_comment_and_a_line_in_the_readme(role: str) -> None:
    text = (ROOT / "roles" / role / "defaults" / "main.yml").read_text()
    blocks = [block for block in text.split("\n\n") if f"\n{role}_" in f"\n{block}"]
    assert all(block.lstrip().startswith(("#", "---")) for block in blocks)
    readme = (ROOT / "roles" / role / "README.md").read_text()
    assert [name for name in load(role, "defaults/main.yml") if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_task_files(role: str) -> None:
    assert all((ROOT / "roles" / role / "tasks" / f"{entry}.yml").exists() for entry in specs(role))


@pytest.mark.parametrize("role", list(TABLES))
def test_defaults_make_no_mistake(role: str) -> None:
    modules: dict[str, Any] = {
        one.ROLE: one for one in (bridge_network, ipip_tunnel, node_port, pod_network, vxlan_overlay)
    }
    module = modules[role]
    hosts = {f"h{n}": {"underlay_address": f"192.0.2.{n}", f"{role}_stated": {}} for n in (1, 2)}
    arguments = [list(hosts)] if role != "bridge_network" else []
    assert module.plan(TABLES[role], "h1", hosts, *arguments)["problems"] == []
