#!/bin/sh -p
# /usr/bin/kiwistack-enroll: starts the program on the Node that came with it, in an environment of its own. Whoever calls may
# be root with somebody else's variables (sudo -E, su -m): NODE_OPTIONS, OPENSSL_CONF, SSL_CERT_FILE and the like would change
# what runs here. Only the variables named below are handed on.
set -eu

app=/usr/lib/kiwistack-enroll
# A signal must not open a debugger on a process with root's rights.
set -- "$app/bin/node" --disable-sigusr1 --disable-warning=ExperimentalWarning "$app/kiwistack-enroll.js" "$@"

# Language and terminal; the way to the network; and what a program that people run refuses, aloud.
for name in LANG LC_ALL LC_MESSAGES TERM NO_COLOR \
  HTTPS_PROXY https_proxy HTTP_PROXY http_proxy NO_PROXY no_proxy \
  KIWISTACK_FAULT KIWISTACK_FAULT_TRACE; do
  eval "value=\${$name-}"
  # shellcheck disable=SC2154
  if [ -n "$value" ]; then set -- "$name=$value" "$@"; fi
done
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
