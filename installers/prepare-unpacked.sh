# shellcheck shell=bash
# Debian packages that are only unpacked, into FOLDER/tree: installed, they would be services and programs of this machine. FOLDER/packages
# says which. prepare-machine.sh sources this file before those that use it.

# has_packages FOLDER PACKAGE…
has_packages() { [[ $(cat "$1/packages" 2>/dev/null) == "${*:2}" ]]; }

# download_packages FOLDER WHAT ARGUMENT…: packages, with what they need and this machine does not have
download_packages() {
  mkdir -p "$1/partial"
  try_step "apt-get download of $2" 'check the package sources of apt' \
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0 -o Dir::Cache::archives="$1" \
    install --download-only --no-install-recommends "${@:3}"
}

# unpack_packages FOLDER WHAT PACKAGE…: into FOLDER.making/tree, which keep_packages puts into its place
unpack_packages() {
  local making=$1.making what=$2
  shift 2
  say "unpacking $* for the tests (not installed here)"
  rm -rf "${making%.making}" "$making" && mkdir -p "$making/tree"
  download_packages "$making/download" "$what" --reinstall "$@"
  run_step 'dpkg-deb -x' unpack_archives "$making" || fail 8 "$what could not be unpacked" "see $log"
  # Older packages have both /lib and /usr/lib, which are one folder on the machine.
  if [[ -d $making/tree/lib ]]; then cp -a "$making/tree/lib/." "$making/tree/usr/lib/"; fi
  rm -rf "$making/tree/lib" "$making/tree/usr/share/doc" "$making/tree/usr/share/man" "$making/download"
  mkdir -p "$making/tree/etc"
}

unpack_archives() {
  local archive
  for archive in "$1"/download/*.deb; do dpkg-deb -x "$archive" "$1/tree" || return; done
}

# keep_packages FOLDER PACKAGE…: FOLDER is complete
keep_packages() {
  printf '%s' "${*:2}" >"$1.making/packages"
  mv "$1.making" "$1"
}
