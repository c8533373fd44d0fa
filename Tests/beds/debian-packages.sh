#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Unpacks packages of Debian, with all that they depend on, into a folder. With an index of its own: the machine's configuration
# stays as it is, nothing is installed, and root is not needed.
#   debian-packages.sh FOLDER SUITE ARCHITECTURE PACKAGE...
# What apt says goes to the standard output.
set -euo pipefail

[ $# -ge 4 ] || { echo "usage: debian-packages.sh FOLDER SUITE ARCHITECTURE PACKAGE..." >&2; exit 64; }
folder=$1 suite=$2 architecture=$3
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$folder" "$apt"/{lists,cache/archives}/partial
: > "$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" > "$apt/sources.list"
options=(-q -y -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
	-o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
	-o APT::Sandbox::User= -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture" -o APT::Install-Recommends=no)
apt-get "${options[@]}" update
apt-get "${options[@]}" install --download-only "${@:4}"
for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$folder"; done
