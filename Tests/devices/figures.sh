#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures sending on the emulated devices and writes the tables of docs/figures.md. Arguments name devices: their figures are
# printed, and the page is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/devices/figures.sh: no Python environment yet; run: make setup" >&2; exit 69; }
PYTHONPATH=../beds:../network:../kernel exec "$python" figures_devices.py "$@"
