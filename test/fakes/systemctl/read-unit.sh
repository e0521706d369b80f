# shellcheck shell=bash
# Finds and reads unit files. Sourced by systemctl.

unit_folders=(/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /lib/systemd/system /usr/lib/systemd/system)

# full_name NAME -> REPLY, with .service where no other kind is named
full_name() {
  case $1 in
    *.service | *.socket | *.target | *.timer | *.path | *.mount | *.slice | *.scope | *.device | *.automount | *.swap) REPLY=$1 ;;
    *) REPLY=$1.service ;;
  esac
}

# template_of NAME -> REPLY: x@.service for x@y.service, else empty
template_of() {
  REPLY=
  if [[ $1 == *@?*.* ]]; then REPLY=${1%%@*}@.${1##*.}; fi
}

# find_unit NAME -> load_state (loaded, masked, not-found), fragment, drop_ins
find_unit() {
  local folder name
  load_state=not-found fragment='' drop_ins=()
  template_of "$1"
  for name in "$1" $REPLY; do
    for folder in "${unit_folders[@]}"; do
      if [[ -L $folder/$name && $(readlink -f "$folder/$name") == /dev/null ]]; then
        load_state=masked
        return
      fi
      if [[ -f $folder/$name ]]; then
        load_state=loaded fragment=$folder/$name
        break 2
      fi
    done
  done
  local -A taken=()
  for folder in "${unit_folders[@]}"; do
    for name in "$1" $REPLY; do
      for drop_in in "$folder/$name.d"/*.conf; do
        # /lib and /usr/lib are one folder; a name in /etc hides the same name in /lib.
        if [[ -z ${taken[${drop_in##*/}]-} ]]; then
          taken[${drop_in##*/}]=1
          drop_ins+=("$drop_in")
        fi
      done
    done
  done
}

declare -A conf=()

# read_unit NAME: fills conf[Section.Key]; the values of list keys are joined by newlines
read_unit() {
  local file
  unit=$1 conf=()
  find_unit "$unit"
  if [[ $load_state != loaded ]]; then return 1; fi
  for file in "$fragment" "${drop_ins[@]}"; do read_unit_file "$file"; done
}

read_unit_file() {
  local section='' line key value whole=''
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line##+([[:space:]])}
    if [[ $line == [#\;]* || (-z $line && -z $whole) ]]; then continue; fi
    whole+=$line
    if [[ $whole == *\\ ]]; then
      whole=${whole%\\}' '
      continue
    fi
    line=$whole whole=''
    if [[ $line == \[*\]* ]]; then
      section=${line#\[} section=${section%%\]*}
      continue
    fi
    key=${line%%=*} value=${line#*=}
    key=$section.${key%%+([[:space:]])}
    value=${value##+([[:space:]])} value=${value%%+([[:space:]])}
    case $key in
      Service.Exec* | Service.Environment* | Install.* | Unit.Condition*)
        if [[ -z $value ]]; then conf[$key]=''; else conf[$key]+=$value$'\n'; fi
        ;;
      *) conf[$key]=$value ;;
    esac
  done <"$1"
}

# expand_specifiers TEXT -> REPLY
expand_specifiers() {
  local text=$1 out='' name=${unit%.*} instance=''
  if [[ $name == *@* ]]; then instance=${name#*@}; fi
  while [[ $text == *%* ]]; do
    out+=${text%%\%*} text=${text#*%}
    case ${text:0:1} in
      i) out+=$instance ;;
      I)
        printf -v REPLY '%b' "${instance//-//}"
        out+=$REPLY
        ;;
      n) out+=$unit ;;
      N) out+=$name ;;
      p) out+=${name%%@*} ;;
      t) out+=/run ;;
      S) out+=/var/lib ;;
      C) out+=/var/cache ;;
      L) out+=/var/log ;;
      E) out+=/etc ;;
      T) out+=/tmp ;;
      h) out+=/root ;;
      u) out+=root ;;
      U) out+=0 ;;
      s) out+=/bin/sh ;;
      H) out+=$HOSTNAME ;;
      m) out+=$(</etc/machine-id) ;;
      %) out+=% ;;
      *) out+=%${text:0:1} ;;
    esac
    text=${text:1}
  done
  REPLY=$out$text
}

# split_words TEXT -> words, by systemd's rules for quotes and backslashes; no shell has a hand in it
split_words() {
  local text=$1 word='' quote='' open='' c i
  words=()
  for ((i = 0; i < ${#text}; i++)); do
    c=${text:i:1}
    if [[ $c == \\ ]]; then
      c=${text:++i:1} open=1
      case $c in
        n) word+=$'\n' ;;
        t) word+=$'\t' ;;
        s) word+=' ' ;;
        x) printf -v c '%b' "\\x${text:i+1:2}" && word+=$c && ((i += 2)) ;;
        *) word+=$c ;;
      esac
    elif [[ -n $quote ]]; then
      if [[ $c == "$quote" ]]; then quote=''; else word+=$c; fi
    elif [[ $c == [\"\'] && -z $word ]]; then
      quote=$c open=1
    elif [[ $c == [[:space:]] ]]; then
      if [[ -n $open ]]; then words+=("$word"); fi
      word='' open=''
    else
      word+=$c open=1
    fi
  done
  if [[ -n $open ]]; then words+=("$word"); fi
}

# seconds_of TIME FALLBACK -> REPLY
seconds_of() {
  local total=0 part
  REPLY=$2
  if [[ -z $1 ]]; then return; fi
  if [[ $1 == infinity ]]; then
    REPLY=2000000000
    return
  fi
  local spaced=$1
  while [[ $spaced =~ ^[[:space:]]*([0-9.]+)[[:space:]]*(ms|msec|s|sec|min|m|h|hr)?(.*)$ ]]; do
    part=${BASH_REMATCH[1]} spaced=${BASH_REMATCH[3]}
    case ${BASH_REMATCH[2]} in
      ms*) total=$(awk "BEGIN{print $total+$part/1000}") ;;
      m | min) total=$(awk "BEGIN{print $total+$part*60}") ;;
      h | hr) total=$(awk "BEGIN{print $total+$part*3600}") ;;
      *) if [[ $total == 0 ]]; then total=$part; else total=$(awk "BEGIN{print $total+$part}"); fi ;;
    esac
  done
  REPLY=$total
}
