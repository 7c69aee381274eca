# SPDX-License-Identifier: Apache-2.0
main() {
  rm -rf -- "$HOME/qnn/.incoming-$1" "$HOME/qnn/.result-$1.json"
  printf 'qnn:end=remove\n'
}
main "$1" </dev/null
