#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tries the phones' bundle: its zip, and with Android's own adb and adbd an emulated AArch64 phone. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}/python/bin/python
[ -x "$python" ] || { echo "Tests/android/run.sh: no Python environment yet; run: make setup" >&2; exit 69; }
exec "$python" -m pytest "$@"
