#!/bin/sh -p
# /usr/bin/kiwistack-enroll: starts the program on the Node that the package brings, in a clean environment. The caller may be
# root with another user's variables (sudo -E, su -m): NODE_OPTIONS, OPENSSL_CONF, SSL_CERT_FILE and others would change what
# runs here. Only the variables named below are passed on.
#
# The others are removed by name. `env -i NAME=value` would do it too, but arguments can be read by every user of the laptop, and a
# proxy's URL may hold a password.
set -eu
unset IFS

# Language and terminal, proxies, whether stderr is the journal, who ran pkexec, and the variables of test builds, which the
# program refuses with an error.
passed=' LANG LC_ALL LC_MESSAGES TERM NO_COLOR HTTPS_PROXY https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy JOURNAL_STREAM PKEXEC_UID KIWISTACK_FAULT KIWISTACK_FAULT_TRACE '

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
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

app=/usr/lib/kiwistack-enroll
# SIGUSR1 must not open a debugger on a process that runs as root.
exec "$app/bin/node" --disable-sigusr1 --disable-warning=ExperimentalWarning "$app/kiwistack-enroll.js" "$@"
