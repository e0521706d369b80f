# shellcheck shell=bash
# What compiles the addons for macOS: .cache/zig, a compiler of C and C++ for other systems. What signs programs and packages for macOS, and verifies them:
# .cache/apple-code, a Python environment with the code of apple-codesign, and for the tests the parser of the crate apple-bom and LIEF, which reads programs. All
# are pinned by their hashes. prepare-machine.sh sources this file.

apple_code_folder=$cache/apple-code
apple_code_wheels='apple-platform-py==0.1.0 --hash=sha256:f020b5c7d35935520477eff92a2d008fc2c80ba86505c3aae0f8841cca4ab406
pyapplebom==0.1.2 --hash=sha256:e49785fbec7c898652544c3bb799a278bd56a0c6fb75a670c6402ef704e1edad
lief==1.0.0 --hash=sha256:96277e45d58de45a33249079dac43e50db1c96da162fbe1ad02fbaa82e3bd06f --hash=sha256:41ff868f5328fc8e5237a9e1f4718590e0ee9180c1422b3e4948b7116ba4517c'
zig_folder=$cache/zig
zig_wheel='ziglang==0.17.0 --hash=sha256:97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b'

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

# zig_ready: the same
zig_ready() {
  if [[ $purpose != dist || $(uname -m) != x86_64 ]]; then return 0; fi
  [[ -x $zig_folder/ziglang/zig && $(cat "$zig_folder/wheel" 2>/dev/null) == "$zig_wheel" ]]
}

# provide_zig: after provide_apple_code, whose Python fetches it, and node_modules, which has what is compiled
provide_zig() {
  local headers
  say 'takes Zig out of the package ziglang (100 MB), and compiles the addons for macOS once, with its C++ library (some minutes)'
  rm -rf "$zig_folder" && mkdir -p "$zig_folder"
  printf '%s\n' "$zig_wheel" >"$zig_folder/wheel.txt"
  try_step 'pip install ziglang' 'see what pip said' "$apple_code_folder/bin/python3" -m pip install --quiet --disable-pip-version-check --retries 0 \
    --no-deps --only-binary=:all: --require-hashes --target "$zig_folder" -r "$zig_folder/wheel.txt"
  # In its place: what Zig keeps of its library is bound to where Zig is.
  headers=$(find "$repository/node_modules/node" -path '*/include/node' -type d | head -n 1)
  run_step 'make macos-addons' make -s -C "$repository/native/macos-addons" OUT="$zig_folder/addons" WORK="$zig_folder/work" CACHE="$cache/zig-cache" \
    ZIG="$zig_folder/ziglang/zig" NODE_HEADERS="$headers" || fail 8 'Zig could not compile the addons for macOS' "see $log"
  rm -rf "$zig_folder/addons" "$zig_folder/work"
  printf '%s\n' "$zig_wheel" >"$zig_folder/wheel"
}
