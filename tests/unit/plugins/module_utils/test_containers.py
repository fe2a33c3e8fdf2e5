# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which container a control group belongs to: the spellings of docker, containerd, podman, CRI-O, with both drivers
and both versions of control groups."""

from __future__ import annotations

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info.containers import of_cgroup

ID = "6525e65814a99d431b6978e8f8c895013176c6c58173b56639d4b020c14e6022"
OUTER = "b6e375cfe46efa5cd90d095603dec2de888c28b203285819233040b5cf1212ac"
POD = "72f7f152_440c_66ac_9084_e0fc1d8a910c"

SAMPLES = {
    f"0::/system.slice/docker-{ID}.scope": ("docker", ID),
    f"0::/docker/{ID}": ("docker", ID),
    f"12:pids:/docker/{ID}\n11:cpuset:/docker/{ID}\n0::/system.slice/containerd.service": ("docker", ID),
    f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/docker-{ID}.scope": ("docker", ID),
    f"0::/kubepods.slice/kubepods-pod{POD}.slice/cri-containerd-{ID}.scope": ("containerd", ID),
    f"9:cpuset:/kubepods-besteffort-pod{POD}.slice:cri-containerd:{ID}": ("containerd", ID),
    f"0::/system.slice/containerd.service/kubepods-pod{POD}.slice:cri-containerd:{ID}": ("containerd", ID),
    f"0::/system.slice/nerdctl-{ID}.scope": ("containerd", ID),
    f"4:memory:/kubepods/burstable/pod{POD}/{ID}": (None, ID),
    f"0::/kubepods.slice/kubepods-pod{POD}.slice/crio-{ID}.scope": ("cri-o", ID),
    f"0::/machine.slice/libpod-{ID}.scope": ("podman", ID),
    f"0::/machine.slice/libpod-{ID}.scope/container": ("podman", ID),
    f"12:pids:/libpod_parent/libpod-{ID}": ("podman", ID),
    f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container": ("podman", ID),
    f"0::/docker/{OUTER}/docker/{ID}": ("docker", ID),
    # who watches a container, and who is in none
    f"0::/machine.slice/libpod-conmon-{ID}.scope": None,
    f"0::/kubepods.slice/crio-conmon-{ID}.scope": None,
    "0::/user.slice/user-0.slice/session-3.scope": None,
    "9:name=systemd:/\n0::/": None,
    f"0::/system.slice/{ID[:63]}": None,
    "": None,
    "nonsense": None,
}


@pytest.mark.parametrize("text", SAMPLES)
def test_a_control_group_says_which_container(text: str) -> None:
    assert of_cgroup(text) == SAMPLES[text]
