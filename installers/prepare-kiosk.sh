# shellcheck shell=bash
# What puts one window on a whole screen at the first start of a laptop from an OEM, for the tests of the window: cage with its
# libraries, unpacked into .cache/kiosk. prepare-machine.sh sources this file.

# Debian's cage does not start without Xwayland.
kiosk_packages=(cage xwayland)
kiosk_folder=$cache/kiosk

# kiosk_ready: true also where nobody runs the tests of the window
kiosk_ready() {
  case $purpose in test | window | all) ;; *) return 0 ;; esac
  has_packages "$kiosk_folder" "${kiosk_packages[@]}"
}

provide_kiosk() {
  unpack_packages "$kiosk_folder" cage "${kiosk_packages[@]}"
  # People use it who are not root.
  chmod -R go+rX "$kiosk_folder.making"
  keep_packages "$kiosk_folder" "${kiosk_packages[@]}"
}
