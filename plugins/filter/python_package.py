# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter python_package: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: python_package
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Pack a Python package of the controller for a host
description:
  - Packs a pure Python package that the controller's own Python has into a C(tar.gz).
  - It is to be unpacked into a folder on a host where its Python looks for packages.
  - The archive holds the package's metadata with C(linuxnet.lab) as its installer, so that it can be told, and removed, later.
  - The archive is in the run's temporary folder on the controller and goes with it.
options:
  _input:
    description: The name of the package, for example V(pyroute2).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Give a host without Internet the controller's pyroute2
  ansible.builtin.unarchive:
    src: "{{ 'pyroute2' | linuxnet.lab.python_package }}"
    dest: /usr/local/lib/python3.11/dist-packages
"""

RETURN = r"""
_value:
  description: The path of the archive on the controller.
  type: str
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible import constants as C  # noqa: E402
from ansible.errors import AnsibleFilterError  # noqa: E402
from ansible_collections.linuxnet.lab.plugins.plugin_utils.python_package import pack  # noqa: E402


def python_package(package: str) -> str:
    """The path of the packed package."""
    try:
        return pack(str(package), C.DEFAULT_LOCAL_TMP)
    except (LookupError, ValueError, OSError) as error:
        raise AnsibleFilterError(f"{package}: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"python_package": python_package}
