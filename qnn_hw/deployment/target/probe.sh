# SPDX-License-Identifier: Apache-2.0
say() { printf 'qnn:%s=%s\n' "$1" "$2"; }

root() {
  if [ "$(id -u)" = 0 ]; then
    echo yes
  elif ! command -v sudo >/dev/null; then
    echo no
  elif sudo -n true 2>/dev/null; then
    echo sudo
  else
    echo password
  fi
}

# The installed version without importing pynq, which takes seconds and looks for devices.
pynq() {
  python3 -c '
import importlib.metadata as metadata
try:
    print(metadata.version("pynq"))
except metadata.PackageNotFoundError:
    import pynq
    print(pynq.__version__)
' 2>/dev/null | tail -n 1
}

main() {
  environment >/dev/null 2>&1
  local board='' tool
  if [ -r /proc/device-tree/chosen/pynq_board ]; then
    board=$(tr -d '\000\n' </proc/device-tree/chosen/pynq_board)
  fi
  say board "${board:-${BOARD:-}}"
  say simulated "${QNN_HW_SIMULATED_BOARD:+yes}"
  say root "$(root)"
  say python "$(command -v python3)"
  say pynq "$(pynq)"
  say space "$(df -Pk "$HOME" 2>/dev/null | tail -n 1)"
  for tool in flock sha256sum timeout find cmp base64; do
    command -v "$tool" >/dev/null || say missing "$tool"
  done
  say end probe
}
main </dev/null
