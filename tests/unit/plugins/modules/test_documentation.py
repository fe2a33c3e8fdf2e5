# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation, the argument specs and the engine's tables say the same."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxnet.lab.plugins.module_utils import _link_spec
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds import (
    address,
    bridge,
    fdb,
    ipip,
    link,
    neighbor,
    route,
    vxlan,
)

ROOT = Path(__file__).parents[4]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
KINDS = {
    "bridge": bridge, "ipip_tunnel": ipip, "vxlan": vxlan, "address": address, "route": route, "neighbor": neighbor, "fdb": fdb,
}  # fmt: skip


def spec(name: str) -> dict[str, Any]:
    """A module's argument spec."""
    found: dict[str, Any] = importlib.import_module(f"ansible_collections.linuxnet.lab.plugins.modules.{name}").SPEC
    return found


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_option_of_a_kind_is_an_option_of_its_module(name: str) -> None:
    assert set(KINDS[name].FIELDS) <= set(spec(name))


def test_each_option_that_all_links_have_is_in_their_spec() -> None:
    assert set(link.GENERIC) - {"group"} == set(_link_spec.GENERIC) - {"port"}
    assert set(bridge.PORT) == set(_link_spec.PORT)


def test_each_module_is_in_the_action_group_of_its_sort_and_says_so() -> None:
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    assert groups["lab"] == [name for name in MODULES if not name.endswith("_info")]
    assert groups["info"] == [name for name in MODULES if name.endswith("_info")]
    for path in (ROOT / "plugins/modules").glob("*_info.py"):
        text = path.read_text(encoding="utf-8")
        assert "linuxnet.lab.info.reading" in text or "      - linuxnet.lab.info\n" in text, path.name


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_examples_and_returns(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.linuxnet.lab.plugins.modules.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["version_added"] and documentation["seealso"]
    assert any(f"linuxnet.lab.{name}" in task for task in yaml.safe_load(module.EXAMPLES))
    assert yaml.safe_load(module.RETURN)
