# SPDX-License-Identifier: Apache-2.0
# One rename where nothing stands in the way. An older copy of other content makes room first: two renames, not while a
# run holds the lock, and both even when the connection goes in between. On the card before it is in its place: power is
# pulled soon after. What a person put beside the files is kept.
same() {
  local file
  for file in "$1"/*; do
    cmp -s "$file" "$2/${file##*/}" || return 1
  done
}

main() {
  local stem=$1 incoming=.incoming-$2 old=.old-$2 reason file
  trap '' HUP PIPE
  if ! cd "$HOME/qnn"; then return; fi
  sync -- "$incoming"/* "$incoming"
  if [ -d "$stem" ] && same "$incoming" "$stem"; then
    rm -rf -- "$incoming"
    printf 'qnn:installed=same\n'
  elif [ ! -e "$stem" ] && mv -T "$incoming" "$stem" 2>/dev/null; then
    printf 'qnn:installed=new\n'
  else
    exec 9>>.lock
    if ! flock -n 9; then
      printf 'qnn:installed=busy\n'
    elif reason=$(mv -T "$stem" "$old" 2>&1) && reason=$(mv -T "$incoming" "$stem" 2>&1); then
      for file in "$old"/*; do
        if [ ! -e "$stem/${file##*/}" ]; then mv -- "$file" "$stem"; fi
      done
      rm -rf -- "$old"
      printf 'qnn:installed=replaced\n'
    else
      if [ -e "$old" ] && [ ! -e "$stem" ]; then mv -T "$old" "$stem"; fi
      printf 'qnn:error=%s\n' "$reason"
    fi
  fi
}
main "$1" "$2" </dev/null
