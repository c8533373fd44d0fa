#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests on emulated devices with the Python environment that setup made. Arguments go to pytest; KTRXER_DEVICES names
# the devices (devices.py), by default router, phone and pc. With --here it prints those whose kernel is in the cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/devices/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
if [ "${1:-}" = --here ]; then
	PYTHONPATH=../beds:../network:../kernel exec "$python" -c "import devices; print(*devices.here())"
fi
exec "$python" -m pytest "$@"
