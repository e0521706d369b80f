#!/bin/bash
# Becomes pid 1 of a room: in fresh mount, network, pid, uts and ipc namespaces it builds the room's root, then waits.
# The settings come as variables, from room-holder.ts:
#   LAB_NAME, LAB_HOSTNAME   of the room
#   LAB_DISK                 folder with base/ (laid over the host's root), upper/, work/, root/ and dmi/
#   LAB_KIND                 laptop: a whole root of its own;  room: the host's root with its own /etc and /run
#   LAB_DIR                  the lab's folder, the same in every room
#   LAB_HIDDEN               folders in LAB_DIR that this room must not see (one a line)
#   LAB_REPO                 the repository, read-only in laptops
set -eu
umask 022
read -r pid _ </proc/self/stat

if [ "$LAB_KIND" = laptop ]; then root=$LAB_DISK/root; else root=; fi

# Loopback acknowledges at once: vpcd answers in 1 ms instead of 44.
printf '%s\n' 'link set lo up' \
  'route replace local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1 table local quickack 1' \
  'route replace local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1 table local quickack 1' | ip -batch -

echo "$LAB_HOSTNAME" >/proc/sys/kernel/hostname

if [ "$LAB_KIND" = laptop ]; then
  # What lies in the way of /run and /tmp (a clone in /tmp, say) is held by a descriptor until it can be put back.
  mkdir -p "$LAB_DISK/keep/repo" "$LAB_DISK/keep/dir"
  mount --bind "$LAB_REPO" "$LAB_DISK/keep/repo"
  mount --bind "$LAB_DIR" "$LAB_DISK/keep/dir"
  mount -t tmpfs -o mode=1777 tmp "$root/tmp"
else
  # The same /etc as the host's, but what is written there is thrown away.
  mount -t overlay -o "lowerdir=$LAB_DISK/base/etc:/etc,upperdir=$LAB_DISK/upper,workdir=$LAB_DISK/work" etc /etc
fi

# /sys of this network namespace, with an identity of our own laid over it. The parts that change while the room runs
# are bound from the real one: overlayfs would remember that an interface is not there.
mount -t tmpfs -o mode=0755 run "$root/run"
mkdir -p "$root/run/.sys"
mount -t sysfs sys "$root/run/.sys"
mount -t overlay -o "ro,lowerdir=$LAB_DISK/dmi:$root/run/.sys" sys "$root/sys"
mount --bind "$root/run/.sys/devices" "$root/sys/devices"
mount --bind "$root/run/.sys/class/net" "$root/sys/class/net"
if [ -d "$root/sys/firmware/dmi" ]; then mount -t tmpfs -o ro no-smbios "$root/sys/firmware/dmi"; fi
umount -l "$root/run/.sys"
rmdir "$root/run/.sys"
mkdir -p "$root/run/lock" "$root/run/systemd/system" "$root/run/dbus"
mkdir -m 0700 "$root/run/wireguard"
chmod 1777 "$root/run/lock"

mount -t tmpfs -o mode=0755,nosuid dev "$root/dev"
cd "$root/dev"
mknod -m 666 null c 1 3
mknod -m 666 zero c 1 5
mknod -m 666 full c 1 7
mknod -m 666 random c 1 8
mknod -m 666 urandom c 1 9
mknod -m 666 tty c 5 0
mkdir net pts shm
mknod -m 600 net/tun c 10 200
ln -s /proc/self/fd fd
ln -s /proc/self/fd/0 stdin
ln -s /proc/self/fd/1 stdout
ln -s /proc/self/fd/2 stderr
ln -s pts/ptmx ptmx
mount -t devpts -o newinstance,mode=620,ptmxmode=666 pts pts
mount -t tmpfs -o mode=1777 shm shm
mount -t proc proc "$root/proc"

if [ "$LAB_KIND" = laptop ]; then
  mkdir -p "$root$LAB_REPO" "$root$LAB_DIR"
  mount --bind "$LAB_DISK/keep/repo" "$root$LAB_REPO"
  mount -o remount,bind,ro "$root$LAB_REPO"
  mount --bind "$LAB_DISK/keep/dir" "$root$LAB_DIR"
fi
while read -r hidden; do
  if [ -n "$hidden" ]; then mount -t tmpfs -o ro,mode=0700 hidden "$root$hidden"; fi
done <<<"$LAB_HIDDEN"

if [ "$LAB_KIND" = laptop ]; then
  cd "$root"
  pivot_root . .
  umount -l .
fi
cd /
echo "ready $pid"
# A new bash, so that nothing of the old root stays open and no setting stays in the environment. Bash as pid 1 reaps
# what daemons leave behind.
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c 'while :; do sleep 86400 & wait; done' </dev/null >/dev/null 2>&1
