#!/bin/bash
# Brings a machine to where the demo, the tests and the benchmark can run. Safe to repeat; does nothing the second time.
set -u -o pipefail
export LC_ALL=C

usage() {
  cat <<'TEXT'
usage: bash installers/prepare-machine.sh [--for demo|test|bench|machine|fresh]

Brings a Debian 12 or Ubuntu 24.04 machine that has Node 20 or newer, npm, Go 1.25 or newer and root to where `npm run demo`
or `npm test` can do its job: Debian packages, node_modules, step-ca. Changes nothing else: no service is started, the
network and /etc/resolv.conf stay as they are. `--for machine` brings what the virtual laptop of `npm run test:machine` needs,
`--for fresh` what `npm run test:fresh` needs; both are part of `--for test`. Without --for it prepares for everything.

Everything that the machine lacks is named at once, with how to get it, before anything is changed.

exit codes
  0  the machine is ready
  2  wrong usage
  3  not root
  4  this machine does not fit (distribution, namespaces)
  5  Node, npm or Go is missing or too old
  6  there is no network, or a package registry cannot be reached
  7  not enough disk
  8  a step failed; its last lines are shown, all of them are in .cache/prepare.log
  9  another installation holds a lock for too long
Of several things that are missing, the first decides.
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

purpose=all
while (($# > 0)); do
  case $1 in
    --for) purpose=${2-} && shift ;;
    --for=*) purpose=${1#*=} ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift || true
done
case $purpose in demo | test | bench | machine | fresh | all) ;; *) usage >&2 && exit 2 ;; esac

# name, and why it is needed
packages=(
  'wireguard-tools|wg and wg-quick, which bring up the tunnel'
  'wireguard-go|WireGuard without a kernel module'
  'pcscd|the smart card service the YubiKey is reached through'
  'vsmartcard-vpcd|the reader in which the virtual YubiKey sits'
  'ykcs11|the PKCS#11 module of the YubiKey'
  'yubikey-manager|ykman, with which the operator provisions a YubiKey'
  'nftables|the packet filter of the slice: only its tunnel reaches what is inside'
  'iproute2|network namespaces: laptops, slice and internet'
  'iputils-ping|proves that the tunnel carries packets'
  'util-linux|enters the rooms of the lab'
  'procps|shows what runs in a laptop'
  'curl|HTTPS through the tunnel, as a user would'
  'openssl|checks certificates with code that is not ours'
  'ca-certificates|the trust store that enrollment writes to'
  'dnsmasq-base|name service behind the tunnel'
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
  'python3-venv|keeps ykman of PyPI by itself'
  'faketime|gives a laptop a wrong clock'
  'systemd|its library and its checks of units, where a container has none; it is not started'
  'polkitd|reads the polkit action of the package'
  'man-db|reads the man page of the package'
  'strace|shows that no secret is in an argument list or an open file'
)
machine_packages=(
  'qemu-system-x86|runs the virtual laptop'
  'qemu-utils|makes its disks (qemu-img)'
  'swtpm|its TPM'
  'e2fsprogs|makes its disk of that file system (mke2fs)'
  'kmod|puts its kernel modules in order (depmod)'
  'busybox-static|the first programs it runs, before its disk is there'
  'cpio|packs them for its kernel'
)
tree_package='mmdebstrap|makes the virtual laptop and the bare machine of test/fresh of Debian packages'
case $purpose in
  test | all) packages+=("${test_packages[@]}" "${machine_packages[@]}" "$tree_package") ;;
  machine) packages+=("${machine_packages[@]}" "$tree_package") ;;
  fresh) packages+=("$tree_package") ;;
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

resolved_ready() { [[ -x /usr/lib/systemd/systemd-resolved || -x $cache/systemd-resolved/tree/usr/lib/systemd/systemd-resolved ]]; }

missing_packages
# A run that was killed while apt was at work leaves its ban on starting services: then there is something to do.
left_ban() { grep -qs kiwistack-prepare /usr/sbin/policy-rc.d; }
if ((EUID == 0)) && ! left_ban && ((${#missing[@]} == 0)) && modules_ready && commands_ready && step_ca_ready && resolved_ready &&
  key_clients_ready; then exit 0; fi

# --- From here on there is something to do. -------------------------------------------------------------------------
# shellcheck source=prepare-steps.sh
. "$repository/installers/prepare-steps.sh"
check_prerequisites
if ! mkdir -p "$cache/bin" || ! exec 8>"$cache/prepare.lock"; then
  fail 7 "$cache cannot be written" 'clone the repository to a place that can be written'
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
  say "installs ${#missing[@]} Debian packages:"
  for entry in "${missing[@]}"; do printf '  %-17s %s\n' "${entry%%|*}" "${entry#*|}" >&2; done
  install_packages "${missing[@]%%|*}"
fi
if ! modules_ready; then
  if modules_match; then
    modules_stamp >"$repository/node_modules/.prepared"
  else
    say 'installs node_modules by npm ci, from package-lock.json: the libraries and Node 24 itself'
    install_modules
  fi
fi
if ! commands_ready; then link_commands; fi
if ! step_ca_ready; then provide_step_ca; fi
if ! resolved_ready; then provide_resolved; fi
if ! key_clients_ready; then provide_key_clients; fi
say "the machine is ready ($((EPOCHSECONDS - started)) s)"
