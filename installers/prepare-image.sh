# shellcheck shell=bash
# What an image needs besides packages that are installed anyway: .cache/image-tools, with mtools (lays out its EFI partition), the guide by
# which it is hardened and, for its tests, the firmware OVMF. All are unpacked, not installed. prepare-machine.sh sources this file.

image_tools_folder=$cache/image-tools
image_guide=$image_tools_folder/usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml

# image_tools_ready: true also where no image is made
image_tools_ready() {
  if [[ $purpose != image && $purpose != dist ]]; then return 0; fi
  [[ -e $image_tools_folder/usr/bin/mformat && -f $image_tools_folder/usr/share/OVMF/OVMF_CODE_4M.secboot.fd && -f $image_guide ]]
}

provide_image_tools() {
  local making=$image_tools_folder.making archive
  say 'unpacks mtools, OVMF and the SCAP Security Guide (30 MB)'
  rm -rf "$making" && mkdir -p "$making/packages"
  # As root apt fetches as another user, who cannot write here.
  try_step 'apt-get download mtools ovmf' 'see what apt said' \
    env -C "$making/packages" apt-get -q -o APT::Sandbox::User=root download mtools ovmf
  download_guide "$making/packages"
  for archive in "$making"/packages/*.deb; do
    dpkg-deb -x "$archive" "$making" || fail 8 "$archive could not be unpacked" "see $log"
  done
  [[ -f $making/${image_guide#"$image_tools_folder/"} ]] || fail 8 'the SCAP Security Guide has nothing for Debian 12' "see $log"
  rm -rf "$making/packages" "$image_tools_folder"
  mv "$making" "$image_tools_folder"
}

# download_guide FOLDER: Debian 12 has a guide that does not know Debian 12, so that it is taken from Debian's unstable. apt does that with
# lists of its own, from where this machine gets Debian 12.
download_guide() {
  local apt=$1/apt from
  from=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -n 1)
  [[ -n $from ]] || fail 8 'this machine gets no packages of Debian 12' 'make images on Debian 12'
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/state/status"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s sid main\n' "$from" >"$apt/sid.list"
  cat >"$apt/apt.conf" <<TEXT
Dir::Etc::sourcelist "$apt/sid.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
APT::Architectures "amd64";
Acquire::Languages "none";
TEXT
  try_step 'apt-get update (unstable)' 'see what apt said' env APT_CONFIG="$apt/apt.conf" apt-get -q update
  try_step 'apt-get download ssg-debian' 'see what apt said' env -C "$1" APT_CONFIG="$apt/apt.conf" apt-get -q download ssg-debian
  rm -rf "$apt"
}
