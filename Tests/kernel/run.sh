#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests of kernel modules with the Python environment that setup made. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/kernel/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
# Files run side by side; the tests of one file share a guest and stay together.
exec "$python" -m pytest -n 2 --dist loadfile "$@"
