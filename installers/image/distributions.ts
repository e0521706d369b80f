/** What an image is made from. */
export interface Distribution {
  /** As in /etc/os-release and in package URLs. */
  readonly id: 'debian' | 'ubuntu';
  readonly version: string;
  readonly suite: string;
  /** The folder on the EFI partition in which the distribution's signed GRUB looks for its settings. */
  readonly efiFolder: string;
  /** What is on the disk, and why. Recommended packages are not installed. */
  readonly packages: Readonly<Record<string, string>>;
  /** Images of it were built and booted in the tests. */
  readonly tried: boolean;
}

/** What has the same name everywhere. */
const COMMON: Readonly<Record<string, string>> = {
  systemd: 'the first process; formats, opens and mounts the volume of the laptop',
  'systemd-sysv': 'makes systemd the first process',
  'systemd-resolved': 'split DNS through the tunnel',
  'systemd-timesyncd': 'the clock, by which certificates are judged',
  'libnss-resolve': 'programs ask systemd-resolved',
  'libnss-myhostname': 'the laptop knows its own name',
  'libpam-systemd': 'sessions, as polkit knows them',
  dbus: 'the bus of systemd, polkit and NetworkManager',
  'dbus-user-session': 'the bus of who is logged in',
  udev: 'devices',
  kmod: 'loads WireGuard, dm-crypt, radios',
  'initramfs-tools': 'the first root of the kernel',
  'busybox-static': 'the shell in it, if the disk cannot be mounted',
  zstd: 'packs it',
  e2fsprogs: 'checks, grows and makes file systems',
  'cloud-init': "runs what an OEM puts into the image's own seed, once a laptop",
  'network-manager': 'the network of a laptop: cable and radio',
  wpasupplicant: 'the radio, and 802.1X',
  'wireless-regdb': 'which channels are allowed where',
  'wireguard-tools': 'the tunnel, where NetworkManager does not run it',
  iproute2: 'the network',
  'iputils-ping': 'proves that the tunnel carries packets',
  nftables: 'a packet filter, for policies of the customer',
  'cryptsetup-bin': 'the encrypted volume, its keys and their escrow',
  'tpm2-tools': 'a device key in the TPM, and proving it',
  'tpm2-openssl': 'signs and agrees with such a key',
  'libtss2-tcti-device0': 'how they reach the TPM',
  pcscd: 'smart cards: a YubiKey can be used on such a laptop too',
  ykcs11: 'the PKCS#11 module of the YubiKey',
  'sssd-ldap': 'sign-in: people of the directory',
  'sssd-krb5': 'sign-in: passwords are checked by the KDC',
  'libnss-sss': 'programs know these people',
  'libpam-sss': 'logins know these people',
  'krb5-user': 'tickets, and looking at them',
  'libsasl2-modules': 'binds to the directory with the device certificate (SASL EXTERNAL)',
  'libsasl2-modules-gssapi-mit': 'binds to the directory with a keytab (GSSAPI)',
  apparmor: 'confines SSSD and others',
  'ca-certificates': "the trust store; Fleet's agent needs it to reach its server",
  openssl: 'makes changes of the trust store fast',
  polkitd: 'who may do what',
  pkexec: 'asks polkit at a terminal',
  sudo: 'how an administrator becomes root',
  apt: "installs Fleet's agent and updates",
  adduser: 'maintainer scripts use it',
  procps: 'shows what runs',
  less: 'shows long output',
};

export const DISTRIBUTIONS: Readonly<Record<string, Distribution>> = {
  'debian-12': {
    id: 'debian',
    version: '12',
    suite: 'bookworm',
    efiFolder: 'debian',
    tried: true,
    packages: {
      ...COMMON,
      'linux-image-amd64': 'the kernel, signed for Secure Boot',
      'grub-efi-amd64-signed': 'the boot loader, signed for Secure Boot',
      'shim-signed': 'what firmware with the keys of Microsoft starts',
    },
  },
  // Written from Ubuntu's package lists; no image of it was built.
  'ubuntu-24.04': {
    id: 'ubuntu',
    version: '24.04',
    suite: 'noble',
    efiFolder: 'ubuntu',
    tried: false,
    packages: {
      ...COMMON,
      'linux-image-generic': 'the kernel, signed for Secure Boot',
      'grub-efi-amd64-signed': 'the boot loader, signed for Secure Boot',
      'shim-signed': 'what firmware with the keys of Microsoft starts',
      'netplan.io': "writes NetworkManager's connections down; the image has it leave all of them to NetworkManager",
    },
  },
};
