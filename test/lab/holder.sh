#!/bin/bash
# The first process of a lab. It is pid 1 of the lab's pid namespace and its network namespace is "the internet": when it
# ends, the kernel ends every room with it. It ends when its standard input closes, so that nothing outlives the test
# process, not even one that was killed; after the line `keep` it stays.
# Called as: holder.sh DIR   (DIR/disk gets the memory that holds the laptops' disks)
set -eu
# Seen through the host's own /proc, so this is the number by which the host knows us.
read -r pid _ </proc/self/stat
# mount(8) keeps notes in /run/mount, which must not be the host's.
mount -t tmpfs -o mode=0755 lab-run /run
mount -t tmpfs -o mode=0700,size=80% lab-disks "$1/disk"
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link set lo up
echo "ready $pid"
exec >/dev/null 2>&1
keep=
while read -r word; do
  if [ "$word" = keep ]; then keep=1; fi
done
while [ -n "$keep" ]; do
  sleep 86400 &
  wait
done
