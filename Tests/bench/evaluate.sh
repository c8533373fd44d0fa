#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs evaluate.py, or another program of this folder that is named first, with the Python environment that setup made.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "evaluate.sh: no Python environment yet; run: make setup" >&2; exit 69; }
program=evaluate.py
case ${1:-} in *.py) program=$1; shift ;; esac
[ -e "$here/$program" ] || { echo "evaluate.sh: there is no $program in $here" >&2; exit 64; }
tests=${here%/*}
PYTHONPATH=$here:$tests/beds:$tests/network:$tests/kernel:$tests/devices exec "$python" "$here/$program" "$@"
