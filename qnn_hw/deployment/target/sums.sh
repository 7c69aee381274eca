# SPDX-License-Identifier: Apache-2.0
main() {
  local file
  if cd "$HOME/qnn/$1" 2>/dev/null; then
    for file in *; do
      if [ -f "$file" ]; then printf 'qnn:sum=%s\n' "$(sha256sum -- "$file")"; fi
    done
  fi
  printf 'qnn:end=sums\n'
}
main "$1" </dev/null
