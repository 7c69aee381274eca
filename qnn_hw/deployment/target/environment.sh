# SPDX-License-Identifier: Apache-2.0
# The image's own files set PATH to its virtual environment, BOARD and XILINX_XRT, without which pynq finds no device.
# They are bash, and one on Kria writes to the terminal.
environment() {
  local file
  for file in /etc/profile.d/boardname.sh /etc/profile.d/xrt_setup.sh /etc/profile.d/pynq_venv.sh; do
    # shellcheck disable=SC1090
    if [ -r "$file" ]; then . "$file"; fi
  done
}
