# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as Ansible sees them: their names, their documentation."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

NAMES = ["bridge_network", "ipip_tunnel", "vxlan_overlay", "python_package", "table"]


def module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.linuxnet.lab.plugins.filter.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_named_like_its_file(name: str) -> None:
    assert list(module(name).FilterModule().filters()) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_documented(name: str) -> None:
    found = yaml.safe_load(module(name).DOCUMENTATION)
    assert found["name"] == name
    assert found["version_added"] == "0.1.0"
    assert yaml.safe_load(module(name).EXAMPLES)
    assert "_value" in yaml.safe_load(module(name).RETURN)


@pytest.mark.parametrize("name", NAMES[:3])
def test_arguments_are_documented(name: str) -> None:
    found = yaml.safe_load(module(name).DOCUMENTATION)
    function = module(name).FilterModule().filters()[name]
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    assert [one.strip() for one in found["positional"].split(",")] == list(names)
    assert set(found["options"]) == {"_input", *names}


def test_python_package_tells_what_is_missing() -> None:
    from ansible.errors import AnsibleFilterError

    with pytest.raises(AnsibleFilterError, match="has no package"):
        module("python_package").python_package("no_such_package_here")
