#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes the table of docs/kernels.md (kernels_table.py), or with --check says whether it has all kernels.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "kernels_table.sh: no Python environment yet; run: make setup" >&2; exit 69; }
PYTHONPATH=../beds exec "$python" kernels_table.py "$@"
