# shellcheck shell=bash
# Servers of other makers that the tests hold the slice against: slapd, FreeRADIUS, Heimdal, and their clients, unpacked into
# .cache/servers. And the packages with which people sign in to a laptop, SSSD and Kerberos, as they are, into .cache/sign-in: laptops of
# the lab install them. prepare-machine.sh sources this file.

server_packages=(slapd ldap-utils freeradius eapoltest heimdal-kdc heimdal-clients libsasl2-modules-gssapi-heimdal)
servers_folder=$cache/servers
# What the package kiwistack-enroll suggests for it, and what a test looks with: tickets, and logins by PAM.
sign_in_packages=(sssd-ldap sssd-krb5 libnss-sss libpam-sss libsasl2-modules-gssapi-mit krb5-user pamtester)
sign_in_folder=$cache/sign-in

# servers_ready: true also where nobody runs the tests
servers_ready() {
  case $purpose in test | single-sign-on | all) ;; *) return 0 ;; esac
  has_packages "$servers_folder" "${server_packages[@]}"
}

provide_servers() {
  unpack_packages "$servers_folder" 'the servers' "${server_packages[@]}"
  keep_packages "$servers_folder" "${server_packages[@]}"
}

# sign_in_ready: true also where nobody runs the tests
sign_in_ready() {
  case $purpose in test | single-sign-on | all) ;; *) return 0 ;; esac
  has_packages "$sign_in_folder" "${sign_in_packages[@]}"
}

provide_sign_in() {
  local making=$sign_in_folder.making
  say "downloading ${sign_in_packages[*]} for the lab's laptops (they are not installed here)"
  rm -rf "$sign_in_folder" "$making"
  # What this machine has already, its laptops have too.
  download_packages "$making" 'sign-in packages' "${sign_in_packages[@]}"
  rm -rf "$making/partial" "$making/lock"
  keep_packages "$sign_in_folder" "${sign_in_packages[@]}"
}
