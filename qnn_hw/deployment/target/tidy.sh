# SPDX-License-Identifier: Apache-2.0
# A copy in progress keeps touching its files: what nothing touched for an hour was left behind.
main() {
  local old
  for old in "$HOME"/qnn/.incoming-* "$HOME"/qnn/.old-* "$HOME"/qnn/.result-*; do
    if [ -e "$old" ] && [ -z "$(find "$old" -mmin -60 2>/dev/null | head -n 1)" ]; then
      if rm -rf -- "$old"; then printf 'qnn:removed=%s\n' "${old##*/}"; fi
    fi
  done
  printf 'qnn:end=tidy\n'
}
main </dev/null
