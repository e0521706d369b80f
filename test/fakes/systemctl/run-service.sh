# shellcheck shell=bash
# Runs one service: environment, commands, supervision, end. Sourced by systemctl; `unit` and `conf` are set.

state_dir=/run/fake-systemctl
log_dir=/var/log/fake-journal

declare -A service_env=()

log() { printf '%s\n' "$1" >>"$log_dir/$unit.log"; }

# set_state ACTIVE SUB RESULT
set_state() {
  printf '%s %s %s\n' "$1" "$2" "${3:-success}" >"$state_dir/$unit/.state" &&
    mv -f "$state_dir/$unit/.state" "$state_dir/$unit/state"
}

# get_state -> active sub result
get_state() {
  active=inactive sub=dead result=success
  if [[ -f $state_dir/$unit/state ]]; then read -r active sub result <"$state_dir/$unit/state"; fi
}

# read_number NAME -> REPLY, 0 where there is none
read_number() {
  REPLY=0
  if [[ -s $state_dir/$unit/$1 ]]; then REPLY=$(<"$state_dir/$unit/$1"); fi
}

set_variable() {
  if [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then service_env[$1]=$2; fi
}

# What the service's processes get, read at each start as systemd does: nothing of the caller's environment.
load_environment() {
  local line file optional
  service_env=([PATH]=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin [LANG]=C.UTF-8)
  while IFS= read -r line; do
    expand_specifiers "$line"
    split_words "$REPLY"
    for line in "${words[@]}"; do set_variable "${line%%=*}" "${line#*=}"; done
  done <<<"${conf[Service.Environment]-}"
  while IFS= read -r file; do
    if [[ -z $file ]]; then continue; fi
    expand_specifiers "$file"
    file=${REPLY#-} optional=${REPLY%%[!-]*}
    if [[ ! -r $file ]]; then
      if [[ -n $optional ]]; then continue; fi
      log "$unit: Failed to load environment files: No such file or directory"
      return 1
    fi
    while IFS= read -r line || [[ -n $line ]]; do
      line=${line##+([[:space:]])}
      if [[ $line == [#\;]* || $line != *=* ]]; then continue; fi
      local value=${line#*=}
      value=${value%%+([[:space:]])}
      case $value in
        \"*\") value=${value#\"} value=${value%\"} value=${value//\\\"/\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
      esac
      set_variable "${line%%=*}" "$value"
    done <"$file"
  done <<<"${conf[Service.EnvironmentFile]-}"
  service_env[INVOCATION_ID]=$(<"$state_dir/$unit/id")
  read_number pid
  if ((REPLY > 0)); then service_env[MAINPID]=$REPLY; fi
  if [[ -n ${conf[Service.RuntimeDirectory]-} ]]; then
    service_env[RUNTIME_DIRECTORY]=/run/${conf[Service.RuntimeDirectory]}
  fi
}

# Replaces this (sub)shell by one command line of the unit. Values of variables reach the program only, not an argument
# list, unless the unit names them there itself.
exec_line() {
  local line=$1 word name value
  local -a argv=()
  expand_specifiers "$line"
  split_words "$REPLY"
  for word in "${words[@]}"; do
    if [[ $word =~ ^\$([A-Za-z_][A-Za-z0-9_]*)$ ]]; then
      read -ra split <<<"${service_env[${BASH_REMATCH[1]}]-}"
      argv+=("${split[@]}")
      continue
    fi
    while [[ $word =~ \$\{([A-Za-z_][A-Za-z0-9_]*)\} ]]; do
      name=${BASH_REMATCH[1]} value=${service_env[${BASH_REMATCH[1]}]-}
      word=${word/"\${$name}"/"$value"}
    done
    argv+=("${word//\$\$/\$}")
  done
  for name in $(compgen -e); do unset "$name" 2>/dev/null; done
  for name in "${!service_env[@]}"; do export "$name=${service_env[$name]}"; done
  umask "${conf[Service.UMask]:-0022}"
  cd "${conf[Service.WorkingDirectory]:-/}" 2>/dev/null || exit 200
  if [[ -n ${conf[Service.User]-} ]]; then
    argv=(/usr/bin/setpriv "--reuid=${conf[Service.User]}" "--regid=${conf[Service.Group]:-$(id -gn "${conf[Service.User]}")}" --init-groups -- "${argv[@]}")
  fi
  shopt -u execfail
  exec "${argv[@]}" </dev/null >>"$log_dir/$unit.log" 2>&1
  exit 203
}

# run_lines KEY: runs each command to its end; fails with the first that fails and has no `-`. Fills exit_code.
run_lines() {
  local line prefix
  exit_code=0
  while IFS= read -r line; do
    if [[ -z $line ]]; then continue; fi
    prefix=${line%%[!-@+!:]*}
    (exec_line "${line#"$prefix"}") 2>>"$log_dir/$unit.log"
    exit_code=$?
    if ((exit_code == 126 || exit_code == 127)); then exit_code=203; fi
    if ((exit_code != 0)) && [[ $prefix != *-* ]]; then return 1; fi
    exit_code=0
  done <<<"${conf[Service.$1]-}"
}

# processes -> REPLY: what belongs to the service. Instead of a control group, the identity of the start is looked for in
# the environment of every process: children inherit it, daemons too.
processes() {
  local id file
  REPLY=
  if [[ ! -s $state_dir/$unit/id ]]; then return; fi
  id=$(<"$state_dir/$unit/id")
  for file in $(grep -lsz "^INVOCATION_ID=$id\$" /proc/[0-9]*/environ); do
    file=${file#/proc/}
    REPLY+="${file%/*} "
  done
}

# kill_rest: ends what is left of the service, politely first
kill_rest() {
  local signal=${conf[Service.KillSignal]:-TERM} waited=0 limit
  case ${conf[Service.KillMode]:-control-group} in
    none) return ;;
    process) read_number pid && if ((REPLY > 0)); then kill -s "${signal#SIG}" "$REPLY" 2>/dev/null; fi ;;
    mixed)
      read_number pid && if ((REPLY > 0)); then kill -s "${signal#SIG}" "$REPLY" 2>/dev/null; fi
      ;;
    *)
      processes
      # shellcheck disable=SC2086
      if [[ -n $REPLY ]]; then kill -s "${signal#SIG}" $REPLY 2>/dev/null; fi
      ;;
  esac
  seconds_of "${conf[Service.TimeoutStopSec]-}" 90
  limit=${REPLY%.*}
  while processes && [[ -n $REPLY ]]; do
    if [[ ${conf[Service.KillMode]-} == process ]]; then
      read_number pid
      if ((REPLY == 0)) || ! kill -0 "$REPLY" 2>/dev/null; then return; fi
    fi
    if ((waited++ >= limit * 50)); then
      log "$unit: State 'stop-sigterm' timed out. Killing."
      # shellcheck disable=SC2086
      kill -KILL $REPLY 2>/dev/null
    fi
    sleep 0.02
  done
}

make_directories() {
  local kind base name
  for kind in Runtime:/run State:/var/lib Cache:/var/cache Logs:/var/log Configuration:/etc; do
    base=${kind#*:} kind=${kind%%:*}
    for name in ${conf[Service.${kind}Directory]-}; do
      expand_specifiers "$name"
      mkdir -p "$base/$REPLY" && chmod "${conf[Service.${kind}DirectoryMode]:-0755}" "$base/$REPLY"
    done
  done
}

# clean_end CODE: whether systemd counts it as success
clean_end() {
  case $1 in
    0 | 129 | 130 | 141 | 143) return 0 ;;
    *) [[ " ${conf[Service.SuccessExitStatus]-} " == *" $1 "* ]] ;;
  esac
}

wants_restart() {
  case ${conf[Service.Restart]:-no} in
    always) return 0 ;;
    on-success) clean_end "$1" ;;
    on-failure) ! clean_end "$1" ;;
    on-abnormal) (($1 > 128)) && ! clean_end "$1" ;;
    *) return 1 ;;
  esac
}

# listen: a socket for READY=1, see sd_notify(3); an abstract one, because a service that has given up root must reach it
listen() {
  local name=kiwi-notify/$unit/$BASHPID listener='import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + sys.argv[1])
print("listening", flush=True)
while b"READY=1" not in s.recv(4096): pass
print("ready", flush=True)'
  exec {ready}< <(exec python3 -c "$listener" "$name" 3>&- 2>/dev/null)
  listener_pid=$!
  read -r <&"$ready"
  service_env[NOTIFY_SOCKET]=@$name
}

# wait_ready PID: until it has said so, or has ended, or the 90 seconds are over that systemd waits
wait_ready() {
  local tries
  for ((tries = 0; tries < 450; tries++)); do
    if read -r -t 0.2 <&"$ready" || ! kill -0 "$1" 2>/dev/null; then break; fi
  done
  kill "$listener_pid" 2>/dev/null
  exec {ready}<&-
}

# The process behind one started service: tells the caller through descriptor 3 how the start went, then watches over it.
supervise() {
  local type=${conf[Service.Type]:-simple} code starts=() pause main
  echo "$BASHPID" >"$state_dir/$unit/supervisor"
  tr -d '-' </proc/sys/kernel/random/uuid >"$state_dir/$unit/id"
  : >"$state_dir/$unit/pid"
  seconds_of "${conf[Service.RestartSec]-}" 0.1
  pause=$REPLY
  set_state activating start
  make_directories
  while :; do
    starts=("$EPOCHSECONDS" "${starts[@]:0:4}")
    if ! load_environment || ! run_lines ExecStartPre; then
      end_failed "${exit_code:-1}"
      echo failed >&3
      return
    fi
    if [[ $type == oneshot ]]; then
      if ! run_lines ExecStart; then
        end_failed "$exit_code"
        echo failed >&3
        return
      fi
      run_lines ExecStartPost
      log "Finished ${conf[Unit.Description]:-$unit}."
      if [[ ${conf[Service.RemainAfterExit]-} == @(yes|true|on|1) ]]; then
        set_state active exited
      else
        run_lines ExecStopPost
        set_state inactive dead
      fi
      echo done >&3
      return
    fi
    local line=${conf[Service.ExecStart]%%$'\n'*}
    if [[ $type != forking ]]; then log "Started ${conf[Unit.Description]:-$unit}."; fi
    if [[ $type == notify ]]; then listen; fi
    (exec 3>&- && exec_line "${line##*([-@+!:])}") 2>>"$log_dir/$unit.log" &
    main=$!
    if [[ $type == notify ]]; then wait_ready "$main"; fi
    if [[ $type == forking ]]; then
      wait "$main"
      code=$?
      if ((code != 0)); then
        end_failed "$code"
        echo failed >&3
        return
      fi
      processes
      if [[ -s ${conf[Service.PIDFile]-} ]]; then REPLY=$(<"${conf[Service.PIDFile]}"); fi
      main=${REPLY%% *}
    fi
    echo "$main" >"$state_dir/$unit/pid"
    set_state active running
    if [[ $type == forking ]]; then log "Started ${conf[Unit.Description]:-$unit}."; fi
    run_lines ExecStartPost
    # The caller of `start` goes on from here; a restart has nobody waiting.
    { echo done >&3; } 2>/dev/null
    exec 3>/dev/null
    if [[ $type == forking ]]; then
      while kill -0 "$main" 2>/dev/null; do sleep 0.2; done
      code=0
    else
      wait "$main"
      code=$?
    fi
    echo "$code" >"$state_dir/$unit/code"
    if [[ -e $state_dir/$unit/stopping ]]; then return; fi
    if clean_end "$code"; then
      log "$unit: Deactivated successfully."
    else
      log "$unit: Main process exited, code=exited, status=$code"
    fi
    : >"$state_dir/$unit/pid"
    kill_rest
    if [[ -e $state_dir/$unit/stopping ]]; then return; fi
    if ! wants_restart "$code"; then
      run_lines ExecStopPost
      if clean_end "$code"; then set_state inactive dead; else set_state failed failed exit-code; fi
      return
    fi
    if ((${#starts[@]} == ${conf[Unit.StartLimitBurst]:-5} && EPOCHSECONDS - starts[-1] < 10)) &&
      [[ ${conf[Unit.StartLimitIntervalSec]-} != 0 ]]; then
      log "$unit: Start request repeated too quickly."
      set_state failed failed start-limit-hit
      return
    fi
    set_state activating auto-restart exit-code
    sleep "$pause"
    if [[ -e $state_dir/$unit/stopping ]]; then return; fi
    read_number restarts
    echo $((REPLY + 1)) >"$state_dir/$unit/restarts"
  done
}

# end_failed CODE: a start that did not succeed
end_failed() {
  echo "$1" >"$state_dir/$unit/code"
  log "$unit: Control process exited, code=exited, status=$1"
  log "$unit: Failed with result 'exit-code'."
  kill_rest
  run_lines ExecStopPost
  set_state failed failed exit-code
  log "Failed to start ${conf[Unit.Description]:-$unit}."
}
