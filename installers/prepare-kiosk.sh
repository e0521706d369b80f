# shellcheck shell=bash
# What puts one window on a whole screen at the first start of a laptop from an OEM, for the tests of the window: cage with its
# libraries. Debian's packages are only unpacked, into .cache/kiosk. prepare-machine.sh sources this file.

# Debian's cage does not start without Xwayland.
kiosk_packages=(cage xwayland)
kiosk_folder=$cache/kiosk

# kiosk_ready: true also where nobody runs the tests of the window
kiosk_ready() {
  case $purpose in test | window | all) ;; *) return 0 ;; esac
  [[ $(cat "$kiosk_folder/packages" 2>/dev/null) == "${kiosk_packages[*]}" ]]
}

unpack_kiosk() {
  local archive
  for archive in "$1"/download/*.deb; do dpkg-deb -x "$archive" "$1/tree" || return; done
}

provide_kiosk() {
  local making=$kiosk_folder.making
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0 -o Dir::Cache::archives="$making/download")
  say "unpacking ${kiosk_packages[*]} for the tests (it is not installed here)"
  rm -rf "$kiosk_folder" "$making" && mkdir -p "$making/download/partial" "$making/tree"
  # With what it needs and this machine does not have.
  try_step 'apt-get download of cage' 'check the package sources of apt' \
    "${apt[@]}" install --download-only --reinstall --no-install-recommends "${kiosk_packages[@]}"
  run_step 'dpkg-deb -x' unpack_kiosk "$making" || fail 8 'cage could not be unpacked' "see $log"
  rm -rf "$making/tree/usr/share/doc" "$making/tree/usr/share/man" "$making/download"
  printf '%s' "${kiosk_packages[*]}" >"$making/packages"
  chmod -R go+rX "$making"
  mv "$making" "$kiosk_folder"
}
