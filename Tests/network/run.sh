#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the network tests with the Python environment that setup made. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/network/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
[ "$(id -u)" = 0 ] || echo "not root: the tests on this machine's own kernel are skipped"
# Modules run side by side; the tests of one module share a guest and stay together.
exec "$python" -m pytest -n 2 --dist loadfile "$@"
