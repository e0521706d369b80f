#!/bin/sh -p
# /usr/bin/@NAME@: starts the program on the Node that the package brings, in a clean environment. The caller may be
# root with another user's variables (sudo -E, su -m): NODE_OPTIONS, OPENSSL_CONF, SSL_CERT_FILE and others would change what
# runs here. Only the variables named below are passed on.
#
# The others are removed by name. `env -i NAME=value` would do it too, but arguments can be read by every user of the laptop, and a
# proxy's URL may hold a password.
set -eu
unset IFS

# Language and terminal, what the program has to know of its caller, and the variables of test builds, which it refuses with an
# error.
passed=' @VARIABLES@ '

[ -r "/proc/$$/environ" ] || {
  echo 'error: /proc is not mounted.' >&2
  exit 6
}
for name in $(/usr/bin/tr '\0' '\n' <"/proc/$$/environ" | /usr/bin/sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $passed in
    *" $name "*) eval "[ -n \"\${$name:+set}\" ]" || unset "$name" ;;
    *) unset "$name" ;;
  esac
done
PATH=@PATH@
export PATH

app=/usr/lib/@NAME@
# SIGUSR1 must not open a debugger on a process that runs as root.
exec "$app/bin/node" --disable-sigusr1 --disable-warning=ExperimentalWarning "$app/@NAME@.js" "$@"
