# shellcheck shell=bash
# Programs that only the tests of the virtual YubiKey use, kept in .cache: ykman of PyPI (Debian's is years older) and the test program
# of the Go module piv-go, built of the module as the proxy gives it. prepare-machine.sh sources this file.

ykman_version=5.9.2
piv_go_version=v2.6.0
ykman_folder=$cache/ykman
piv_go_folder=$cache/piv-go

# key_clients_ready: true also where nobody runs the tests
key_clients_ready() {
  if [[ $purpose != test && $purpose != all ]]; then return 0; fi
  [[ -x $ykman_folder/bin/python3 && $(cat "$ykman_folder/version" 2>/dev/null) == "$ykman_version" &&
    -x $piv_go_folder/piv.test && $(cat "$piv_go_folder/version" 2>/dev/null) == "$piv_go_version" ]]
}

provide_key_clients() {
  say "installs ykman $ykman_version and builds the tests of piv-go $piv_go_version, other clients of the virtual YubiKey"
  rm -rf "$ykman_folder" "$piv_go_folder" && mkdir -p "$piv_go_folder"
  run_step 'python3 -m venv' /usr/bin/python3 -m venv "$ykman_folder" || fail 8 'python3 -m venv failed' "see $log"
  try_step 'pip install yubikey-manager' 'see what pip said' \
    "$ykman_folder/bin/python3" -m pip install --quiet --disable-pip-version-check --retries 0 "yubikey-manager==$ykman_version"
  printf '%s' "$ykman_version" >"$ykman_folder/version"

  printf 'module tests-of-piv-go\n\ngo 1.25.0\n\nrequire github.com/go-piv/piv-go/v2 %s\n' "$piv_go_version" >"$piv_go_folder/go.mod"
  try_step 'go test -c piv-go' 'see what Go said' env -C "$piv_go_folder" CGO_ENABLED=1 GOTOOLCHAIN=local GOFLAGS=-mod=mod \
    go test -c -o "$piv_go_folder/piv.test" github.com/go-piv/piv-go/v2/piv
  printf '%s' "$piv_go_version" >"$piv_go_folder/version"
}
