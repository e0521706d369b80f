#!/bin/sh -p
# /Library/KiwiStack/bin/kiwistack-enroll: starts the program on the Node that the package brings, in a clean environment, as
# installers/linux/launcher.sh does on Linux. sudo(8) of macOS passes on HOME and more; NODE_OPTIONS and others would change what runs as root.
set -eu
unset IFS

passed=' LANG LC_ALL LC_MESSAGES TERM NO_COLOR HTTPS_PROXY https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy KIWISTACK_FAULT KIWISTACK_FAULT_TRACE '

# A value of several lines may look like more names; to unset what is not there does no harm. Values are in no argument.
for name in $(/usr/bin/env | /usr/bin/sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $passed in
    *" $name "*) eval "[ -n \"\${$name:+set}\" ]" || unset "$name" ;;
    *) unset "$name" ;;
  esac
done
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

program=/Library/KiwiStack
exec "$program/bin/node" --disable-sigusr1 --disable-warning=ExperimentalWarning "$program/kiwistack-enroll.js" "$@"
