#!/bin/sh
# Called by mmdebstrap with the root it made: fetches the kernel package that linux-image-amd64 depends on, beside that root.
set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
cd "$1/../kernel"
name=$(apt-cache --no-all-versions show linux-image-amd64 | sed -n 's/^Depends: \([^ ,]*\).*/\1/p')
[ -n "$name" ]
apt-get -q download "$name"
