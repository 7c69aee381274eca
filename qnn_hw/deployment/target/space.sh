# SPDX-License-Identifier: Apache-2.0
main() {
  printf 'qnn:space=%s\n' "$(df -Pk "$HOME" 2>/dev/null | tail -n 1)"
  printf 'qnn:end=space\n'
}
main </dev/null
