#!/bin/busybox sh
# The first program of the machine: brings in what its disk needs, and goes over to it.
/bin/busybox mkdir -p /proc /sys /dev /disk
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
while read -r module; do /bin/busybox insmod "/modules/$module"; done </modules/order
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.05; done
# After a power cut the journal of ext4 is played back here.
/bin/busybox mount -t ext4 -o rw,relatime /dev/vda /disk || exec /bin/busybox sh
/bin/busybox mount --move /dev /disk/dev
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /disk /sbin/init
