#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints the figures of sending and capturing. Arguments name kernels; without, all that are here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "figures.sh: no Python environment yet; run: make setup" >&2; exit 69; }
PYTHONPATH=../beds exec "$python" figures.py "$@"
