#!/bin/sh -p
# /usr/bin/kiwistack-enroll: starts the program on the Node that the package brings, in a clean environment. The caller may be
# root with another user's variables (sudo -E, su -m): NODE_OPTIONS, OPENSSL_CONF, SSL_CERT_FILE and others would change what
# runs here. Only the variables named below are passed on.
set -eu

app=/usr/lib/kiwistack-enroll
# SIGUSR1 must not open a debugger on a process that runs as root.
set -- "$app/bin/node" --disable-sigusr1 --disable-warning=ExperimentalWarning "$app/kiwistack-enroll.js" "$@"

# Language and terminal, proxies, and the variables of test builds, which the program refuses with an error.
for name in LANG LC_ALL LC_MESSAGES TERM NO_COLOR \
  HTTPS_PROXY https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy \
  KIWISTACK_FAULT KIWISTACK_FAULT_TRACE; do
  eval "value=\${$name-}"
  # shellcheck disable=SC2154
  if [ -n "$value" ]; then set -- "$name=$value" "$@"; fi
done
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
