#!/bin/sh
# Runs a program in the root of an image, with the interfaces of a kernel but nobody's settings: /proc/sys can only be read, except for the
# network, which is one of its own; /sys is empty but for what says that firmware is UEFI. Nothing that it mounts is seen outside.
# usage: unshare --mount --pid --net --ipc --uts --fork --kill-child run-inside.sh ROOT WORK PROGRAM ARGUMENTS...
# WORK is /mnt inside.
set -eu
root=$1
work=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,rw "$root/proc/sys/net"
mount -t tmpfs -o mode=755 sys "$root/sys"
mkdir -p "$root/sys/firmware/efi"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
# As systemd has it, where fstab says nothing else.
grep -q ' /dev/shm ' "$root/etc/fstab" || mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 run "$root/run"
mount --bind "$work" "$root/mnt"
chroot "$root" ip link set lo up
# What the start of a laptop mounts and sets, as far as it needs no disk, and concerns nothing but this network.
chroot "$root" mount --all --types tmpfs
chroot "$root" sysctl --quiet --system >/dev/null 2>&1 || true
if [ -e "$root/etc/systemd/system/sysinit.target.wants/nftables.service" ]; then
  chroot "$root" nft --file /etc/nftables.conf
fi
exec chroot "$root" "$@"
