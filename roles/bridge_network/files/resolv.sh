# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Writes /etc/netns/NAME/resolv.conf for each NAME, and removes those of other names that this role has written.
# Arguments: check|do, the text (empty: none are wanted), NAME... Files that do not begin with the mark are not ours.
# `ip netns exec` shows such a file as /etc/resolv.conf (ip-netns(8)).
set -eu
mark="# linuxnet.lab bridge_network: changes are overwritten"
mode=$1
text="$mark
$2"
[ -n "$2" ] || text=
shift 2

# The file's text in $have, and its first line in $first. No `cat`: starting a process takes long on small hosts.
look() {
    have=
    first=
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "$have" ] || first=$line
        have="$have$line
"
    done <"$1"
}

foreign=
if [ -n "$text" ]; then
    for name in "$@"; do
        file="/etc/netns/$name/resolv.conf"
        [ -e "$file" ] || continue
        look "$file"
        [ "$first" = "$mark" ] || foreign="$foreign $file"
    done
fi
if [ -n "$foreign" ]; then
    echo "these files are somebody else's; move them away, or leave bridge_network_dns empty:$foreign" >&2
    exit 1
fi

if [ -n "$text" ]; then
    for name in "$@"; do
        file="/etc/netns/$name/resolv.conf"
        have=
        [ ! -e "$file" ] || look "$file"
        [ "$have" != "$text" ] || continue
        echo "changed: $file written"
        [ "$mode" = do ] || continue
        [ -d "/etc/netns/$name" ] || mkdir -p "/etc/netns/$name"
        printf '%s' "$text" >"$file"
    done
fi

for file in /etc/netns/*/resolv.conf; do
    [ -f "$file" ] || continue
    name=${file#/etc/netns/}
    name=${name%/resolv.conf}
    if [ -n "$text" ]; then
        case " $* " in *" $name "*) continue ;; esac
    fi
    look "$file"
    [ "$first" = "$mark" ] || continue
    echo "changed: $file removed"
    [ "$mode" = do ] || continue
    rm -f "$file"
    rmdir "/etc/netns/$name" /etc/netns 2>/dev/null || :
done
