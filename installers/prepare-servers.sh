# shellcheck shell=bash
# Servers of other makers that the tests hold the slice against: slapd, FreeRADIUS, Heimdal, and their clients. Debian's packages are only
# unpacked, into .cache/servers: installed, they would be services of this machine. And the packages with which people sign in to a
# laptop, SSSD and Kerberos, as they are, into .cache/sign-in: laptops of the lab install them. prepare-machine.sh sources this file.

server_packages=(slapd ldap-utils freeradius eapoltest heimdal-kdc heimdal-clients libsasl2-modules-gssapi-heimdal)
servers_folder=$cache/servers
# What the package kiwistack-enroll suggests for it, and what a test looks with: tickets, and logins by PAM.
sign_in_packages=(sssd-ldap sssd-krb5 libnss-sss libpam-sss libsasl2-modules-gssapi-mit krb5-user pamtester)
sign_in_folder=$cache/sign-in

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

# sign_in_ready: true also where nobody runs the tests
sign_in_ready() {
  if [[ $purpose != test && $purpose != all ]]; then return 0; fi
  [[ $(cat "$sign_in_folder/packages" 2>/dev/null) == "${sign_in_packages[*]}" ]]
}

provide_sign_in() {
  local making=$sign_in_folder.making
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0 -o Dir::Cache::archives="$making")
  say "downloading ${sign_in_packages[*]} for the lab's laptops (they are not installed here)"
  rm -rf "$sign_in_folder" "$making" && mkdir -p "$making/partial"
  # What this machine has already, its laptops have too.
  try_step 'apt-get download of sign-in packages' 'check the package sources of apt' \
    "${apt[@]}" install --download-only --no-install-recommends "${sign_in_packages[@]}"
  rm -rf "$making/partial" "$making/lock"
  printf '%s' "${sign_in_packages[*]}" >"$making/packages"
  mv "$making" "$sign_in_folder"
}
