# shellcheck shell=bash
# What systemctl tells about units. Sourced by systemctl.

# ask_state GOOD…: prints each unit's state; 0 if one is good, 4 if none is known, else 3 (1 for is-failed)
ask_state() {
  local good=" $* " found='' known='' name
  for name in "${names[@]}"; do
    full_name "$name"
    unit=$REPLY
    find_unit "$unit"
    get_state
    if [[ $load_state != not-found || $active != inactive ]]; then known=1; fi
    if [[ -z $quiet ]]; then echo "$active"; fi
    if [[ $good == *" $active "* ]]; then found=1; fi
  done
  if [[ -n $found ]]; then return 0; fi
  if [[ $good == ' failed ' ]]; then return 1; fi
  if [[ -z $known ]]; then return 4; fi
  return 3
}

property() {
  case $1 in
    Id | Names) REPLY=$unit ;;
    LoadState) REPLY=$load_state ;;
    ActiveState) REPLY=$active ;;
    SubState) REPLY=$sub ;;
    Result) REPLY=$result ;;
    FragmentPath) REPLY=$fragment ;;
    DropInPaths) REPLY=${drop_ins[*]} ;;
    UnitFileState) file_state ;;
    Description) REPLY=${conf[Unit.Description]:-$unit} ;;
    Type) REPLY=${conf[Service.Type]:-simple} ;;
    Restart) REPLY=${conf[Service.Restart]:-no} ;;
    MainPID) read_number pid ;;
    ExecMainStatus) read_number code ;;
    NRestarts) read_number restarts ;;
    InvocationID) REPLY=$(cat "$state_dir/$unit/id" 2>/dev/null) ;;
    NeedDaemonReload) REPLY=no ;;
    *) return 1 ;;
  esac
}

show_units() {
  local name wanted first=1
  wanted=${properties:-Type,Restart,NRestarts,MainPID,ExecMainStatus,Result,Id,Names,Description,LoadState,ActiveState,SubState,FragmentPath,DropInPaths,UnitFileState,NeedDaemonReload,InvocationID}
  for name in "${names[@]}"; do
    full_name "$name"
    read_unit "$REPLY"
    get_state
    if [[ -z $first ]]; then echo; fi
    first=''
    for name in ${wanted//,/ }; do
      if ! property "$name"; then continue; fi
      if [[ -n $value_only ]]; then printf '%s\n' "$REPLY"; else printf '%s=%s\n' "$name" "$REPLY"; fi
    done
  done
}

status_of() {
  local state dot=○
  full_name "$1"
  read_unit "$REPLY"
  get_state
  if [[ $load_state == not-found && $active == inactive ]]; then
    say "Unit $unit could not be found."
    return 4
  fi
  case $active in
    active) dot=● ;;
    failed) dot=× ;;
  esac
  file_state
  state=$REPLY
  read_number pid
  echo "$dot $unit - ${conf[Unit.Description]:-$unit}"
  echo "     Loaded: $load_state (${fragment:-Reason: Unit $unit not found.}; $state)"
  echo "     Active: $active ($sub)"
  if ((REPLY > 0)); then echo "   Main PID: $REPLY"; fi
  if [[ -s $log_dir/$unit.log ]]; then
    echo
    tail -n "$lines" "$log_dir/$unit.log"
  fi
  [[ $active == active || $active == reloading ]] || return 3
}

cat_unit() {
  local file
  full_name "$1"
  read_unit "$REPLY"
  if [[ $load_state != loaded ]]; then say "No files found for $unit." && return 1; fi
  for file in "$fragment" "${drop_ins[@]}"; do
    echo "# $file"
    cat "$file"
  done
}

list_units() {
  local folder
  for folder in "$state_dir"/*/; do
    unit=${folder%/} unit=${unit##*/}
    get_state
    if [[ $active == inactive ]]; then continue; fi
    read_unit "$unit"
    printf '%s %s %s %s %s\n' "$unit" "$load_state" "$active" "$sub" "${conf[Unit.Description]:-$unit}"
  done
}

list_unit_files() {
  local folder name count=0 pattern=${names[0]:-*}
  for folder in "${unit_folders[@]}"; do
    for name in "$folder"/*.{service,socket,timer,target}; do
      name=${name##*/}
      # shellcheck disable=SC2053
      if [[ $name != $pattern ]]; then continue; fi
      read_unit "$name"
      file_state
      printf '%s %s\n' "$name" "$REPLY"
      count=$((count + 1))
    done
    # /lib and /usr/lib are the same folder where /usr is merged.
    if [[ $folder == /lib/* && -L /lib ]]; then break; fi
  done
  ((count > 0))
}
