/** What is on the delivered disk of the machine, and why. Recommended packages are not installed. */
export const packages: Readonly<Record<string, string>> = {
  systemd: 'the real one, as the first process',
  'systemd-sysv': 'makes systemd the first process',
  'systemd-resolved': 'split DNS',
  'libnss-resolve': 'programs ask systemd-resolved',
  'libnss-myhostname': 'the machine knows its own name (sudo asks for it)',
  'libpam-systemd': 'sessions, as polkit knows them',
  dbus: 'the bus of systemd, polkit and NetworkManager',
  'dbus-user-session': 'the bus of who is logged in, where notices are shown',
  udev: 'devices',
  kmod: 'loads WireGuard, dm-crypt, radios',
  'network-manager': 'the network of a laptop',
  wpasupplicant: 'the radio of a laptop',
  hostapd: 'the access point it talks to',
  iw: 'looks at radios',
  rfkill: 'switches radios off',
  'wireless-regdb': 'without it the kernel complains about radios',
  'wireguard-tools': 'wg and wg-quick',
  iproute2: 'ip',
  'iputils-ping': 'proves that the tunnel carries packets',
  nftables: 'cuts the network in tests',
  'cryptsetup-bin': 'encrypted disks',
  'tpm2-tools': 'asks the TPM, makes keys in it and proves them',
  'tpm2-openssl': 'signs and agrees with a key in the TPM',
  'libtss2-tcti-device0': 'how they reach it',
  pcscd: 'the smart card service the YubiKey is reached through',
  'vsmartcard-vpcd': 'the reader in which the virtual YubiKey sits',
  ykcs11: 'the PKCS#11 module of the YubiKey',
  'yubico-piv-tool': 'looks at the YubiKey with code that is not ours',
  polkitd: 'who may do what',
  pkexec: 'asks polkit at a terminal',
  sudo: 'how a person becomes root',
  'man-db': 'man pages of the package',
  less: 'shows them',
  'bash-completion': 'completion of the commands',
  apt: 'installs and removes the package',
  adduser: 'maintainer scripts use it',
  'ca-certificates': 'the trust store that enrollment writes to',
  curl: 'HTTPS through the tunnel, as a user would',
  openssl: 'checks certificates with code that is not ours',
  procps: 'shows what runs',
  e2fsprogs: 'fills and checks disks',
};

/** The Debian release that the machine runs. */
export const SUITE = 'bookworm';

/** Units that only cost time at boot, or that change the disk while a test looks at it. */
export const maskedUnits: readonly string[] = [
  'NetworkManager-wait-online.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'dev-hugepages.mount',
  'getty@.service',
  'hostapd.service',
  'ldconfig.service',
  'man-db.timer',
  'modprobe@drm.service',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-hwdb-update.service',
  'systemd-journal-catalog-update.service',
  'systemd-pstore.service',
  'systemd-update-done.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-tmpfiles-clean.timer',
];

/** Modules of Debian's kernel that the machine keeps: no graphics, sound, or network cards of real machines. */
export const keptModules = new RegExp(
  '^kernel/(?:arch/x86/crypto|block|crypto|lib|mm|net|virt|drivers/(?:block|bluetooth|char|crypto|firmware|md|ptp|rtc|virtio|' +
    'net/(?:[^/]+\\.ko|wireguard/|wireless/mac80211_hwsim))|fs/(?:[^/]+\\.ko|autofs|ext4|jbd2|fat|fuse|isofs|nls|overlayfs))',
  'u',
);

/** Modules that the machine needs to reach its disk and its agent. */
export const earlyModules: readonly string[] = ['virtio_pci', 'virtio_blk', 'ext4', 'virtio_console', 'virtio_net'];
