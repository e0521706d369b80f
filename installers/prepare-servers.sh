# shellcheck shell=bash
# Servers of other makers that the tests hold the slice against: slapd, FreeRADIUS, and their clients. Debian's packages are only
# unpacked, into .cache/servers: installed, they would be services of this machine. prepare-machine.sh sources this file.

server_packages=(slapd ldap-utils freeradius eapoltest)
servers_folder=$cache/servers

# servers_ready: true also where nobody runs the tests
servers_ready() {
  if [[ $purpose != test && $purpose != all ]]; then return 0; fi
  [[ $(cat "$servers_folder/packages" 2>/dev/null) == "${server_packages[*]}" ]]
}

unpack_servers() {
  local archive
  for archive in "$1"/download/*.deb; do dpkg-deb -x "$archive" "$1/tree" || return; done
}

provide_servers() {
  local making=$servers_folder.making
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0 -o Dir::Cache::archives="$making/download")
  say "unpacking ${server_packages[*]} for the tests (they are not installed here)"
  rm -rf "$servers_folder" "$making" && mkdir -p "$making/download/partial" "$making/tree"
  # With what they need and this machine does not have.
  try_step 'apt-get download of servers' 'check the package sources of apt' \
    "${apt[@]}" install --download-only --reinstall --no-install-recommends "${server_packages[@]}"
  run_step 'dpkg-deb -x' unpack_servers "$making" || fail 8 'the servers could not be unpacked' "see $log"
  # Older packages have both /lib and /usr/lib, which are one folder on the machine.
  if [[ -d $making/tree/lib ]]; then cp -a "$making/tree/lib/." "$making/tree/usr/lib/"; fi
  rm -rf "$making/tree/lib" "$making/tree/usr/share/doc" "$making/tree/usr/share/man" "$making/download"
  mkdir -p "$making/tree/etc"
  printf '%s' "${server_packages[*]}" >"$making/packages"
  mv "$making" "$servers_folder"
}
