# shellcheck shell=bash
# What an image needs besides packages that are installed anyway: .cache/image-tools, with mtools (lays out its EFI partition) and, for
# its tests, the firmware OVMF. Both are unpacked, not installed. prepare-machine.sh sources this file.

image_tools_folder=$cache/image-tools

# image_tools_ready: true also where no image is made
image_tools_ready() {
  if [[ $purpose != image && $purpose != dist ]]; then return 0; fi
  [[ -e $image_tools_folder/usr/bin/mformat && -f $image_tools_folder/usr/share/OVMF/OVMF_CODE_4M.secboot.fd ]]
}

provide_image_tools() {
  local making=$image_tools_folder.making archive
  say 'unpacks mtools and OVMF (8 MB)'
  rm -rf "$making" && mkdir -p "$making/packages"
  # As root apt fetches as another user, who cannot write here.
  try_step 'apt-get download mtools ovmf' 'see what apt said' \
    env -C "$making/packages" apt-get -q -o APT::Sandbox::User=root download mtools ovmf
  for archive in "$making"/packages/*.deb; do
    dpkg-deb -x "$archive" "$making" || fail 8 "$archive could not be unpacked" "see $log"
  done
  rm -rf "$making/packages" "$image_tools_folder"
  mv "$making" "$image_tools_folder"
}
