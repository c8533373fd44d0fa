#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fetches the files of a source package of this machine's Debian release, with an index of sources of its own: the
# machine's configuration stays as it is, and root is not needed.
#   debian-source.sh FOLDER PACKAGE[=VERSION]
set -euo pipefail

[ $# = 2 ] || { echo "usage: debian-source.sh FOLDER PACKAGE[=VERSION]" >&2; exit 64; }
folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
apt=$(mktemp -d "$folder/apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
printf 'deb-src http://deb.debian.org/%s main\n' "debian $release" "debian-security $release-security" \
	> "$apt/sources.list"
options=(-q -y -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
	-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
cd "$folder"
apt-get "${options[@]}" update
apt-get "${options[@]}" source --download-only "$2"
