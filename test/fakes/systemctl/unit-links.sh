# shellcheck shell=bash
# Enabling, masking: symbolic links below /etc/systemd/system, as systemd makes them. Sourced by systemctl.

links_dir=/etc/systemd/system

install_words() {
  local text=''
  for key in "$@"; do text+=" ${conf[Install.$key]-}"; done
  read -rd '' -a words <<<"$text"
}

# change_each FUNCTION: for the units of this call. As with systemd, whose manager does it, one client's changes come after the other's.
change_each() {
  local code
  mkdir -p "$state_dir"
  exec 8>"$state_dir/links.lock"
  flock 8
  each "$1"
  code=$?
  exec 8>&-
  return "$code"
}

# change_links SCRIPT ARG…: in a session of its own, so that a client that is killed leaves a change whole; it holds the lock as well
change_links() { setsid --wait /bin/sh -c "$1" sh "${@:2}" </dev/null; }

# shellcheck disable=SC2016
make_link() {
  if [[ $(readlink "$1") == "$2" ]]; then return; fi
  change_links 'mkdir -p "${1%/*}" && ln -sfn "$2" "$1"' "$1" "$2" || return
  say "Created symlink $1 → $2."
}

# shellcheck disable=SC2016
remove_link() {
  # As systemd does, a folder goes with its last link.
  change_links 'rm -f "$1"; case $1 in *.wants/*|*.requires/*) rmdir "${1%/*}" 2>/dev/null ;; esac; true' "$1"
  say "Removed \"$1\"."
}

enable_unit() {
  local target made='' also
  full_name "$1"
  read_unit "$REPLY"
  case $load_state in
    not-found) say "Failed to enable unit: Unit file $unit does not exist." && return 1 ;;
    masked) say "Failed to enable unit: Unit file $links_dir/$unit is masked." && return 1 ;;
  esac
  if [[ -n $runtime ]]; then links_dir=/run/systemd/system; fi
  install_words WantedBy
  for target in "${words[@]}"; do make_link "$links_dir/$target.wants/$unit" "$fragment" && made=1; done
  install_words RequiredBy
  for target in "${words[@]}"; do make_link "$links_dir/$target.requires/$unit" "$fragment" && made=1; done
  install_words Alias
  for target in "${words[@]}"; do make_link "$links_dir/$target" "$fragment" && made=1; done
  install_words Also
  also=("${words[@]}")
  for target in "${also[@]}"; do
    if [[ $target != "$unit" ]]; then (enable_unit "$target") && made=1; fi
  done
  if [[ -z $made ]]; then
    say 'The unit files have no installation config (WantedBy=, RequiredBy=, Also=,'
    say 'Alias= settings in the [Install] section, and DefaultInstance= for template'
    say 'units). This means they are not meant to be enabled or disabled using systemctl.'
  fi
  return 0
}

disable_unit() {
  local link
  full_name "$1"
  unit=$REPLY
  find_unit "$unit"
  local -a links=({/etc,/run}/systemd/system/*.{wants,requires}/"$unit")
  for link in {/etc,/run}/systemd/system/*; do
    if [[ -n $fragment && -L $link && $link != "$fragment" && $(readlink "$link") == "$fragment" ]]; then links+=("$link"); fi
  done
  if [[ $load_state == not-found && ${#links[@]} -eq 0 ]]; then
    say "Failed to disable unit: Unit file $unit does not exist."
    return 1
  fi
  for link in "${links[@]}"; do
    if [[ -L $link ]]; then remove_link "$link"; fi
  done
  return 0
}

mask_unit() {
  full_name "$1"
  if [[ -f $links_dir/$REPLY && ! -L $links_dir/$REPLY ]]; then
    say "Failed to mask unit: File $links_dir/$REPLY already exists."
    return 1
  fi
  make_link "$links_dir/$REPLY" /dev/null
}

unmask_unit() {
  full_name "$1"
  if [[ $(readlink "$links_dir/$REPLY") == /dev/null ]]; then
    remove_link "$links_dir/$REPLY"
  fi
  return 0
}

# file_state -> REPLY, for `unit`, after read_unit
file_state() {
  local link
  if [[ $load_state == masked ]]; then REPLY=masked && return; fi
  if [[ $load_state == not-found ]]; then REPLY='' && return; fi
  for link in /etc/systemd/system/*.{wants,requires}/"$unit"; do
    if [[ -L $link ]]; then REPLY=enabled && return; fi
  done
  for link in /run/systemd/system/*.{wants,requires}/"$unit"; do
    if [[ -L $link ]]; then REPLY=enabled-runtime && return; fi
  done
  install_words WantedBy RequiredBy Alias Also
  if ((${#words[@]} == 0)); then REPLY=static; else REPLY=disabled; fi
}

is_enabled() {
  full_name "$1"
  read_unit "$REPLY"
  file_state
  if [[ -z $REPLY ]]; then
    say "Failed to get unit file state for $unit: No such file or directory"
    return 1
  fi
  if [[ -z $quiet ]]; then echo "$REPLY"; fi
  [[ $REPLY != disabled && $REPLY != masked ]]
}

# What a boot starts. The exit code does not tell of units that failed: a boot goes on.
boot_enabled() {
  local link
  for link in /etc/systemd/system/*.{wants,requires}/*; do
    if [[ -L $link ]]; then (quiet=1 && start_unit "${link##*/}"); fi
  done
  return 0
}
