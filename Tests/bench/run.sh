#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests of what judges the evaluation, with the Python environment that setup made. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/bench/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
exec "$python" -m pytest "$@"
