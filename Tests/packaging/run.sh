#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests of the packages with the Python environment that setup made; arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/packaging/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
exec "$python" -m pytest "$@"
