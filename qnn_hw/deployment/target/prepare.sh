# SPDX-License-Identifier: Apache-2.0
main() {
  local reason
  umask 022
  if reason=$(mkdir -p "$HOME/qnn" 2>&1) && reason=$(mkdir "$HOME/qnn/.incoming-$1" 2>&1); then
    printf 'qnn:end=prepare\n'
  else
    printf 'qnn:error=%s\n' "$reason"
  fi
}
main "$1" </dev/null
