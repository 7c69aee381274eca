#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the virtual environment FOLDER from requirements.lock and installs this checkout into it (editable).
# Usage: scripts/setup_venv.sh FOLDER [PYTHON]; without PYTHON the newest fitting interpreter on the PATH is taken.
# Ends with status 1 and one line for each thing that is missing, each with the command that installs it.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
wanted=${2:-}

missing=0
need() { # WHAT PACKAGE
  printf '%s: missing; install it with: apt-get install %s\n' "$1" "$2" >&2
  missing=1
}
for tool in g++ make perl; do
  command -v "$tool" >/dev/null || need "$tool" "$tool"
done

in_range() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null </dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null </dev/null; }
# cocotb loads libpython into the simulator: an interpreter without a shared one installs, and then cannot simulate.
has_libpython() {
  "$1" -B -c 'import sys; from qnn_hw.doctor import find_libpython; sys.exit(find_libpython() is None)' 2>/dev/null </dev/null
}

python=
near=
for candidate in ${wanted:-python3.13 python3.12 python3.11 python3}; do
  command -v "$candidate" >/dev/null && in_range "$candidate" || continue
  near=$candidate
  if has_venv "$candidate" && has_libpython "$candidate"; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  if [ -z "$near" ]; then
    need "Python 3.11, 3.12 or 3.13${wanted:+ ($wanted is none)}" "python3 python3-venv"
  else
    version=$("$near" -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null)
    has_venv "$near" || need "the venv module of $near" "python3-venv"
    has_libpython "$near" ||
      need "a shared libpython of $near (one of your own: configure it with --enable-shared)" "libpython$version"
  fi
fi
[ "$missing" = 0 ] || exit 1

echo "setting up $folder with $("$python" --version 2>&1) ($(command -v "$python")); the first time takes some minutes"
# pip says little unless it fails: its whole output is kept beside the environment.
log=$folder.log
"$python" -m venv --clear "$folder" </dev/null
if ! {
  "$folder/bin/python" -m pip install --progress-bar off -r requirements.lock &&
    "$folder/bin/python" -m pip install --progress-bar off --no-deps --no-build-isolation -e .
} >"$log" 2>&1 </dev/null; then
  tail -n 15 "$log" >&2
  echo "the installation failed; the whole output is in $log" >&2
  exit 1
fi
touch "$folder/ready"
