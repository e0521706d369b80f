#!/bin/sh
# Runs in the root of an image, after the files beside this one were copied there.
set -eu
# faillock, pwhistory and pwquality come into the four files of PAM as profiles: packages may still add and remove theirs.
# Nobody has an empty password.
sed -i 's/ nullok\b//' /usr/share/pam-configs/unix
pam-auth-update --package
cat >>/etc/fstab <<'TEXT'
# Of CIS: nothing is started from where everybody may write.
tmpfs /tmp tmpfs nodev,nosuid,noexec,mode=1777,size=50% 0 0
tmpfs /dev/shm tmpfs nodev,nosuid,noexec 0 0
TEXT
systemctl enable nftables.service systemd-timesyncd.service
