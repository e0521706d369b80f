#!/bin/sh -p
# /Library/KiwiStack/bin/remove-kiwistack: removes the package, which macOS has no way of its own for. As root. An argument is another volume, for tests.
set -eu
PATH=/usr/bin:/bin:/usr/sbin:/sbin
export PATH
volume=${1:-/}
root=${volume%/}
data="$root/Library/Application Support/KiwiStack"

if [ -e "$data/State/enrollment.json" ]; then
  cat >&2 <<'TEXT'
This laptop is enrolled, so KiwiStack Enroll cannot be removed.
Certificate, tunnel and Fleet agent would stay in place, and nothing could remove them.
Uninstall the enrollment first, then run this again:
    sudo kiwistack-enroll uninstall
TEXT
  exit 1
fi
if [ "$volume" = / ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo 'Run it with sudo.' >&2
    exit 3
  fi
  # A deregistration may still be pending: this is the last chance to report it.
  if [ -e "$data/State/farewell.json" ]; then /Library/KiwiStack/bin/kiwistack-enroll check >/dev/null 2>&1 || true; fi
  if [ -e "$data/State/farewell.json" ]; then
    echo 'The pending deregistration could not be reported to the slice: whoever looks after it there has to end the device.' >&2
  fi
  for job in agent check mend; do
    launchctl bootout "system/io.kiwistack.enroll.$job" 2>/dev/null || true
  done
fi
for job in agent check mend; do
  rm -f "$root/Library/LaunchDaemons/io.kiwistack.enroll.$job.plist"
done
rm -f "$root/private/etc/paths.d/kiwistack"
rm -rf "$root/Applications/KiwiStack Enroll.app" "$data" "$root/Library/Logs/KiwiStack" "$root/Library/KiwiStack"
for receipt in io.kiwistack.enroll io.kiwistack.enroll.window; do
  if [ "$volume" = / ]; then pkgutil --forget "$receipt" >/dev/null 2>&1 || true; fi
done
echo 'KiwiStack Enroll was removed.'
