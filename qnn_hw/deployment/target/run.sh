# SPDX-License-Identifier: Apache-2.0
# Runs the driver beside this file, in the Python environment of the image: sudo bash run.sh validate
main() {
  environment >/dev/null 2>&1 </dev/null
  umask 022
  exec python3 "$(dirname "$0")/qnn_driver.py" "$@"
}
main "$@"
