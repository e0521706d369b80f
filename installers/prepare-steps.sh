# shellcheck shell=bash
# The checks and steps of prepare-machine.sh, which sources this file only if there is something to do.

network_trouble='Temporary failure resolving|Could not resolve|Failed to fetch|Unable to connect|Could not connect|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|[Nn]etwork is unreachable|no such host|dial tcp|i/o timeout|TLS handshake timeout|server misbehaving|Could not transfer artifact'
lock_trouble='Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock|is another process using it'

# at_least VERSION MINIMUM
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# What the machine lacks: reported together, before anything is changed.
problem_codes=() problems=()
# problem CODE MESSAGE HINT
problem() {
  problem_codes+=("$1")
  problems+=("error: $2"$'\n'"hint: $3")
}

check_prerequisites() {
  check_root
  check_distribution
  check_tools
  if ((EUID == 0)); then check_namespaces; fi
  check_network
  check_disk
  if ((${#problems[@]} == 0)); then return; fi
  printf '%s\n' "${problems[@]}" >&2
  exit "${problem_codes[0]}"
}

check_root() {
  if ((EUID == 0)); then return; fi
  problem 3 'root is needed: the demo and the tests create namespaces' 'run it again as root, or with sudo'
}

check_distribution() {
  local ID='' VERSION_ID='' PRETTY_NAME='this system'
  # shellcheck source=/dev/null
  . /etc/os-release 2>/dev/null
  case $ID:$VERSION_ID in
    debian:12 | ubuntu:24.04) ;;
    *) problem 4 "$PRETTY_NAME is not supported" 'use Debian 12 or Ubuntu 24.04' ;;
  esac
}

check_tools() {
  local version
  if ! version=$(node --version 2>/dev/null); then
    problem 5 'Node is missing' 'install Node 20 or newer (Node 24 itself then comes from npm)'
  elif ! at_least "${version#v}" 20; then problem 5 "Node ${version#v} is too old" 'install Node 20 or newer'
  elif ! npm --version >/dev/null 2>&1; then problem 5 'npm is missing' 'install the npm that belongs to your Node'; fi
  if ! keycloak_ready && ! command -v mvn >/dev/null; then
    problem 5 'Maven is missing' 'install it, and a Java that it runs in: apt-get install maven'
  fi
  if ! command -v go >/dev/null && [[ -x /usr/local/go/bin/go ]]; then PATH=$PATH:/usr/local/go/bin; fi
  # GOTOOLCHAIN=local: report the installed version, not one that Go would download.
  if ! version=$(GOTOOLCHAIN=local go version 2>/dev/null); then
    problem 5 'Go is missing' 'install Go 1.25 or newer, and make sure that `go` is in PATH'
    return
  fi
  version=${version#go version go}
  version=${version%% *}
  at_least "$version" 1.25 || problem 5 "Go $version is too old" 'install Go 1.25 or newer'
}

check_namespaces() {
  local hint='this does not work in an unprivileged container: use a real machine, a virtual machine or a privileged container'
  if ! unshare -m -n -p -u -i --fork true 2>/dev/null; then
    problem 4 'root is not allowed to create namespaces here' "$hint"
    return
  fi
  if [[ ! -c /dev/net/tun ]]; then modprobe tun 2>/dev/null; fi
  # shellcheck disable=SC2016
  unshare -m -n bash -c 'mount -t tmpfs t /mnt && mknod /mnt/tun c 10 200 && exec 3<>/mnt/tun' 2>/dev/null ||
    problem 4 'there is no /dev/net/tun: the kernel module tun is missing or not allowed' "$hint"
}

check_network() {
  if has_route || nothing_to_fetch; then return; fi
  problem 6 'this machine has no network' 'connect it to a network that reaches the package registries'
}

nothing_to_fetch() {
  if ((${#missing[@]} > 0)) || ! resolved_ready || ! key_clients_ready || ! servers_ready || ! sign_in_ready || ! electron_ready || ! kiosk_ready || ! archives_ready || ! windows_node_ready || ! apple_code_ready || ! image_tools_ready || ! java_ready || ! keycloak_ready; then return 1; fi
  if ! modules_ready && ! modules_match; then return 1; fi
  step_ca_ready || find_step_ca
}

# existing FOLDER -> REPLY: the nearest folder above it that exists
existing() {
  REPLY=$1
  while [[ ! -d $REPLY ]]; do REPLY=$(dirname "$REPLY"); done
}

check_disk() {
  local need folder device free
  local -A needed=() available=() where=()
  local -a wants=()
  if ((${#missing[@]} > 0)); then wants+=("$((40 * ${#missing[@]})) /usr"); fi
  if ! modules_ready && ! modules_match; then wants+=("700 $repository"); fi
  if ! electron_ready; then wants+=("700 $repository"); fi
  if ! keycloak_ready; then wants+=("1000 $repository"); fi
  if ! step_ca_ready && ! find_step_ca; then
    wants+=("100 $repository" "700 $(go_folder GOCACHE .cache/go-build)" "900 $(go_folder GOMODCACHE go/pkg/mod)")
  fi
  for need in "${wants[@]}"; do
    existing "${need#* }"
    folder=$REPLY need=${need%% *}
    read -r device free < <(df --output=source,avail -m "$folder" | tail -n 1)
    needed[$device]=$((${needed[$device]:-0} + need))
    available[$device]=$free where[$device]=${where[$device]:-$folder}
  done
  for device in "${!needed[@]}"; do
    if ((available[$device] < needed[$device])); then
      problem 7 "not enough disk space: about ${needed[$device]} MB are needed at ${where[$device]}, ${available[$device]} MB are free" \
        'free some space, or clone the repository to a larger disk'
    fi
  done
}

# go_folder VARIABLE DEFAULT: where Go keeps something; below the home folder if Go is missing
go_folder() { go env "$1" 2>/dev/null || printf '%s\n' "${HOME:-/root}/$2"; }

# run_step TITLE COMMAND…: runs a command and shows its progress; its output goes to the log, and alone to step_log
run_step() {
  local title=$1 began=$EPOCHSECONDS shown=0 pid code
  shift
  step_log=$cache/prepare.step.log
  printf '\n== %s: %s\n' "$title" "$*" >>"$log"
  "$@" >"$step_log" 2>&1 </dev/null 8>&- &
  pid=$!
  # Ctrl-C ends the step too.
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if [[ -t 2 ]]; then
      printf '\rprepare: %s … %s s ' "$title" "$((EPOCHSECONDS - began))" >&2
    elif ((EPOCHSECONDS - began >= shown + 20)); then
      shown=$((EPOCHSECONDS - began))
      say "$title … $shown s"
    fi
  done
  wait "$pid"
  code=$?
  trap - INT TERM
  if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
  cat "$step_log" >>"$log"
  if ((code == 0)); then say "$title: done ($((EPOCHSECONDS - began)) s)"; fi
  return "$code"
}

has_route() {
  if [[ -n ${https_proxy-}${HTTPS_PROXY-}${http_proxy-} ]]; then return 0; fi
  awk 'NR > 1 && $2 == "00000000" { found = 1 } END { exit !found }' /proc/net/route ||
    awk '$1 ~ /^0+$/ && $2 == "00" && $10 != "lo" { found = 1 } END { exit !found }' /proc/net/ipv6_route 2>/dev/null
}

# try_step TITLE HINT COMMAND…: retries twice after a network failure and waits while another apt holds its lock; any other
# failure ends the script with a message and a hint
try_step() {
  local title=$1 hint=$2 tries=0 waited=0
  shift 2
  while ! run_step "$title" "$@"; do
    if grep -qE "$lock_trouble" "$step_log"; then
      if ((waited == 0)); then say 'another apt or dpkg is running; waiting for it to end'; fi
      if ((waited >= 600)); then fail 9 'the other apt or dpkg did not end within 10 minutes' 'find it with: ps ax | grep -E "apt|dpkg"'; fi
      sleep 5
      waited=$((waited + 5))
    elif grep -qE 'No space left on device|ENOSPC' "$step_log"; then
      tail -n 5 "$step_log" >&2
      fail 7 "$title: the disk is full" 'free some space, then run this again'
    elif grep -qE "$network_trouble" "$step_log"; then
      if ((++tries > 2)); then
        tail -n 5 "$step_log" >&2
        fail 6 "$title: a package registry cannot be reached" 'check the network, the proxy and DNS, then run this again'
      fi
      say "$title: network failure; trying again in 3 s ($tries of 2)"
      sleep 3
    else
      tail -n 20 "$step_log" >&2
      fail 8 "$title failed" "$hint; its full output is in $log"
    fi
  done
}

policy=/usr/sbin/policy-rc.d

restore_policy() {
  rm -f "$policy"
  if [[ -e $policy.kiwistack ]]; then mv -f "$policy.kiwistack" "$policy"; fi
  trap - EXIT
}

install_packages() {
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0)
  # An earlier run that was killed may have left our file here, and the machine's own file beside it.
  if [[ -e $policy ]] && ! grep -qs kiwistack-prepare "$policy"; then mv -f "$policy" "$policy.kiwistack"; fi
  printf '#!/bin/sh\n# kiwistack-prepare: installing a package starts no service\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap restore_policy EXIT
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  try_step 'apt-get update' 'check the package sources of apt' update_lists
  try_step "apt-get install" 'on Ubuntu the component "universe" must be enabled' \
    "${apt[@]}" install --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
  restore_policy
}

# A broken package source is no reason to stop if the packages can be found anyway.
update_lists() {
  apt-get -q update -o APT::Update::Error-Mode=any -o Acquire::Retries=0 && return
  ! grep -qE "$lock_trouble" "$step_log" && apt-get -q -y --simulate --no-install-recommends install "${missing[@]%%|*}"
}

# Debian's systemd-resolved is only unpacked, into .cache: installed, it would take over this machine's /etc/resolv.conf.
# The laptops of the lab get it as a layer over their disk. Nothing to do if it is installed anyway.
provide_resolved() {
  local target=$cache/systemd-resolved
  say "unpacking systemd-resolved for the lab's laptops (it is not installed here)"
  rm -rf "$target" && mkdir -p "$target/download" && chmod 755 "$target/download"
  cd "$target/download" || exit 8
  try_step 'apt-get download systemd-resolved' 'check the package sources of apt' apt-get -q download -o Acquire::Retries=0 systemd-resolved
  run_step 'dpkg-deb -x' dpkg-deb -x ./*.deb "$target/unpacked" || fail 8 'systemd-resolved could not be unpacked' "see $log"
  cd - >/dev/null || exit 8
  # Older packages have both /lib and /usr/lib, which are one folder on the machine.
  mkdir -p "$target/unpacked/usr/lib"
  if [[ -d $target/unpacked/lib ]]; then cp -a "$target/unpacked/lib/." "$target/unpacked/usr/lib/"; fi
  rm -rf "$target/unpacked/lib" "$target/unpacked/sbin" "$target/unpacked/usr/share/doc" "$target/unpacked/usr/share/man"
  mv "$target/unpacked" "$target/tree"
}

# Debian's cryptsetup is only unpacked, into .cache: installed, it would bring scripts for this machine's own disks. Most of its libraries are
# there with systemd.
provide_cryptsetup() {
  local target=$cache/cryptsetup
  say 'unpacking cryptsetup for tests of encrypted volumes in files (it is not installed here)'
  rm -rf "$target" && mkdir -p "$target/download" && chmod 755 "$target/download"
  cd "$target/download" || exit 8
  try_step 'apt-get download cryptsetup-bin' 'check the package sources of apt' apt-get -q download -o Acquire::Retries=0 cryptsetup-bin libpopt0
  for package in ./*.deb; do
    run_step 'dpkg-deb -x' dpkg-deb -x "$package" "$target/unpacked" || fail 8 'cryptsetup could not be unpacked' "see $log"
  done
  cd - >/dev/null || exit 8
  mkdir -p "$target/usr/sbin" "$target/lib"
  find "$target/unpacked" -name cryptsetup -type f -perm -100 -exec mv {} "$target/usr/sbin/" \;
  find "$target/unpacked" -name 'libpopt.so*' -exec mv {} "$target/lib/" \;
  rm -rf "$target/unpacked" "$target/download"
}

# Modules that were installed by hand are kept if they are the right versions: nothing is downloaded twice.
modules_match() {
  [[ -x $repository/node_modules/node/bin/node ]] || return 1
  local addon
  for addon in node_modules/pkcs11js/build/Release/pkcs11.node native/locked-memory/build/Release/locked_memory.node; do
    [[ -f $repository/$addon ]] || return 1
  done
  node -e '
    const read = (path) => JSON.parse(require("node:fs").readFileSync(path, "utf8")).packages;
    const [wanted, found] = [read(process.argv[1]), read(process.argv[2])];
    const wrong = Object.entries(wanted).filter(([path, { version, optional, link }]) =>
      path !== "" && !link && !(optional && !found[path]) && found[path]?.version !== version);
    process.exit(wrong.length === 0 ? 0 : 1);
  ' "$repository/package-lock.json" "$repository/node_modules/.package-lock.json" 2>/dev/null
}

install_modules() {
  local prefix
  # node-gyp uses the headers that came with Node; without this it would download them.
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [[ -z ${npm_config_nodedir-} && -f $prefix/include/node/node_api.h ]]; then export npm_config_nodedir=$prefix; fi
  cd "$repository" || exit 8
  try_step 'npm ci' 'see the output of npm' npm ci --no-audit --no-fund --include=dev
  cd - >/dev/null || exit 8
  modules_match || fail 8 'npm ci ended, but node_modules is not complete (Node 24, or the addon pkcs11js or locked-memory, is missing)' \
    "see $log; install scripts must be allowed: npm config get ignore-scripts"
  modules_stamp >"$repository/node_modules/.prepared"
}

# npm links the commands of dependencies, but not the project's own. `npx kiwistack-…` looks here before it asks a registry.
link_commands() {
  node -e '
    const { symlinkSync, rmSync } = require("node:fs");
    for (const [name, file] of Object.entries(require(process.argv[1] + "/package.json").bin)) {
      const link = process.argv[1] + "/node_modules/.bin/" + name;
      rmSync(link, { force: true });
      symlinkSync("../../" + file, link);
    }
  ' "$repository" 2>>"$log" || fail 8 'the commands of the project could not be linked' "see $log"
}

# is_step_ca FILE: whether it is step-ca of the supported release line
is_step_ca() {
  [[ -x $1 ]] || return 1
  # After `go install`, `step-ca version` prints "0000000-dev"; the build information has the version.
  go version -m "$1" 2>/dev/null | grep -qE '^\s+mod\s+github.com/smallstep/certificates\s+v0\.30\.' ||
    "$1" version 2>/dev/null | grep -qE 'Smallstep CA/0\.30\.'
}

# find_step_ca -> found
find_step_ca() {
  for found in "$(command -v step-ca)" "$(go_folder GOBIN go/bin)/step-ca" "$(go_folder GOPATH go)/bin/step-ca" "$step_ca"; do
    if is_step_ca "$found"; then return 0; fi
  done
  return 1
}

provide_step_ca() {
  if find_step_ca; then
    if [[ $found != "$step_ca" ]]; then ln -sfn "$found" "$step_ca"; fi
    say "step-ca: using $found"
  else
    say "building step-ca $step_ca_version, the certificate authority (about 2 minutes on 2 cores)"
    rm -f "$step_ca"
    try_step 'go install step-ca' 'see the output of Go' \
      env CGO_ENABLED=0 GOBIN="$cache/bin" GOTOOLCHAIN=local go install "github.com/smallstep/certificates/cmd/step-ca@$step_ca_version"
  fi
  step_ca_stamp >"$cache/step-ca.stamp"
}
