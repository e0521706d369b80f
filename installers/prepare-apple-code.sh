# shellcheck shell=bash
# What signs programs and packages for macOS, and verifies them: .cache/apple-code, a Python environment with the code of apple-codesign, and the parser of the
# crate apple-bom for the tests. Both are pinned by their hashes. prepare-machine.sh sources this file.

apple_code_folder=$cache/apple-code
apple_code_wheels='apple-platform-py==0.1.0 --hash=sha256:f020b5c7d35935520477eff92a2d008fc2c80ba86505c3aae0f8841cca4ab406
pyapplebom==0.1.2 --hash=sha256:e49785fbec7c898652544c3bb799a278bd56a0c6fb75a670c6402ef704e1edad'

# apple_code_ready: true also where no package for macOS is made
apple_code_ready() {
  if [[ $purpose != dist || $(uname -m) != x86_64 ]]; then return 0; fi
  [[ $(cat "$apple_code_folder/wheels" 2>/dev/null) == "$apple_code_wheels" ]]
}

provide_apple_code() {
  local making=$apple_code_folder
  say 'takes apple-codesign out of apple-platform-py (10 MB), to sign what is made for macOS'
  rm -rf "$making" && mkdir -p "$making"
  run_step 'python3 -m venv' /usr/bin/python3 -m venv "$making" || fail 8 'python3 -m venv failed' "see $log"
  printf '%s\n' "$apple_code_wheels" >"$making/wheels.txt"
  try_step 'pip install apple-platform-py' 'see what pip said' "$making/bin/python3" -m pip install --quiet --disable-pip-version-check --retries 0 \
    --no-deps --only-binary=:all: --require-hashes -r "$making/wheels.txt"
  printf '%s\n' "$apple_code_wheels" >"$making/wheels"
}
