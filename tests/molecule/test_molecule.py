# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios, each role on several hosts over SSH, as users run them."""

from __future__ import annotations

import pytest

from .conftest import Molecule


def test_all_scenarios(molecule: Molecule) -> None:
    if failure := molecule.finish():
        pytest.fail(failure)
