#!/bin/bash
# A machine that has only what the README asks for: Debian 12, git, Node with npm, Go, root. Made in a folder, entered by pivot_root.
#
#   bare-machine.sh base FOLDER                  makes the bare Debian tree, once
#   bare-machine.sh make FOLDER ROOT REPOSITORY  a machine of it in ROOT, with Node, npm and Go of this one, and a clone in /opt/clone
#   bare-machine.sh run ROOT COMMAND…            runs a command there, in the clone, as a user would type it
#
# Of this machine it sees the network, the settings of the package registries, and Go's caches, which only save time.
set -eu

# The packages of a Debian that somebody installed by hand, and no more.
packages=ca-certificates,git,adduser,libatomic1

base() {
  rm -rf --one-file-system "$1"
  mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "$1"
}

make() {
  local base=$1 root=$2 repository=$3 prefix file
  cp -a "$base" "$root"
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  mkdir -p "$root$prefix"/{bin,lib/node_modules,include} "$root$HOME"/go/pkg/mod "$root$HOME"/.cache/go-build "$root/old"
  cp -L "$prefix/bin/node" "$root$prefix/bin/node"
  cp -a "$prefix/lib/node_modules/npm" "$root$prefix/lib/node_modules/npm"
  # node-gyp needs Node's headers, and would fetch them otherwise.
  if [[ -d $prefix/include/node ]]; then cp -a "$prefix/include/node" "$root$prefix/include/node"; fi
  ln -s "$prefix/lib/node_modules/npm/bin/npm-cli.js" "$root/usr/local/bin/npm"
  ln -s "$prefix/lib/node_modules/npm/bin/npx-cli.js" "$root/usr/local/bin/npx"
  if [[ ! -e $root/usr/local/bin/node && $prefix != /usr ]]; then ln -s "$prefix/bin/node" "$root/usr/local/bin/node"; fi
  cp -a "$(go env GOROOT)" "$root/usr/local/go"

  # How the registries are reached: sources, certificates, proxies.
  rm -f "$root/etc/apt/sources.list"
  cp -r /etc/apt/. "$root/etc/apt/"
  cp -r /etc/ssl/certs/. "$root/etc/ssl/certs/"
  for file in /usr/local/share/ca-certificates "$HOME"/.npmrc "$HOME"/.config/go "$HOME"/.config/pip /etc/pip.conf /etc/resolv.conf /etc/hosts; do
    if [[ ! -e $file ]]; then continue; fi
    mkdir -p "$root${file%/*}"
    cp -rT "$file" "$root$file"
  done
  git clone --quiet --no-hardlinks "$repository" "$root/opt/clone"
}

run() {
  local root=$1 kept
  shift
  kept=$(env | grep -E '^(GO(PROXY|FLAGS|NOSUMDB|NOSUMCHECK|SUMDB)|NODE_EXTRA_CA_CERTS|PIP_[A-Z_]*|npm_config_(registry|cafile)|(http|https|no)_proxy|(HTTP|HTTPS|NO)_PROXY|SAMPLE|CI)=' || true)
  root=$root gomod=$(go env GOMODCACHE) gobuild=$(go env GOCACHE) kept=$kept \
    exec unshare --mount --pid --fork --kill-child --propagation private bash -eu -c '
      mount --bind "$root" "$root"
      mount --rbind /dev "$root/dev"
      mount --rbind /sys "$root/sys"
      mkdir -p "$gomod" "$gobuild"
      mount --bind "$gomod" "$root$HOME/go/pkg/mod"
      mount --bind "$gobuild" "$root$HOME/.cache/go-build"
      cd "$root"
      pivot_root . old
      cd /opt/clone
      mount -t proc proc /proc
      umount -l /old
      mapfile -t variables <<<"$kept"
      exec env -i HOME="$HOME" TERM=dumb PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        ${variables[0]:+"${variables[@]}"} "$@"' run "$@"
}

case ${1-} in
  base | make | run) "$@" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
