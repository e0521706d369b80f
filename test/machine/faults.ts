const CERTS = '/etc/step/certs';
const STATE = '/var/lib/kiwistack';
const ROOTS = '/usr/local/share/ca-certificates';
const PROFILE = '/etc/NetworkManager/system-connections/kiwi-acme.nmconnection';
const TUNNEL = 'kiwi-acme';

/** Something that is broken on an enrolled laptop. */
export interface Fault {
  readonly what: string;
  readonly script: string;
  /** The checks that are not well because of it, and no others. */
  readonly codes: readonly string[];
  /** What puts it right where `doctor --fix` does not: it needs a decision, or is not ours. */
  readonly undo?: string;
}

/** What is different on a machine with systemd and NetworkManager from the rooms of test/e2e/01-enrollment/doctor.ts, and some of those. */
export const FAULTS: readonly Fault[] = [
  {
    what: 'a device key that others can read',
    script: `chmod 644 ${CERTS}/acme.key`,
    codes: ['device-key-private', 'file-permissions'],
  },
  {
    what: 'a tunnel that was taken down in NetworkManager',
    script: `nmcli connection down ${TUNNEL} >&2`,
    codes: ['tunnel-up'],
  },
  {
    what: 'a tunnel that does not start at boot',
    script: `nmcli connection modify ${TUNNEL} connection.autoconnect no`,
    codes: ['tunnel-at-boot'],
  },
  {
    what: 'a second peer in the kernel',
    script: `wg set ${TUNNEL} peer "$(wg genkey | wg pubkey)" allowed-ips 192.0.2.66/32`,
    codes: ['tunnel-peer'],
  },
  {
    what: 'a route that somebody removed',
    script: `ip route del 10.77.1.0/24 dev ${TUNNEL}`,
    codes: ['routes'],
  },
  {
    what: 'names inside without a server',
    script: `resolvectl dns ${TUNNEL} ''; resolvectl domain ${TUNNEL} ''`,
    codes: ['dns-split'],
  },
  {
    what: 'a profile that is gone, with which NetworkManager takes the tunnel down',
    script: `mv ${PROFILE} /srv/; nmcli connection reload`,
    codes: ['files-of-ours', 'tunnel-at-boot', 'tunnel-up'],
    undo: `mv /srv/kiwi-acme.nmconnection ${PROFILE}; nmcli connection reload; nmcli connection up ${TUNNEL} >&2`,
  },
  {
    what: 'a timer that was switched off',
    script: 'systemctl disable --now kiwistack-enroll-check.timer >&2',
    codes: ['check-timer'],
  },
  {
    what: 'a watcher that was switched off',
    script: 'systemctl disable --now kiwistack-watch.path >&2; systemctl stop kiwistack-watch.service',
    codes: ['watcher'],
  },
  {
    what: 'a socket of the agent that was switched off',
    script: 'systemctl disable --now kiwistack-agent.socket >&2',
    codes: ['agent-socket'],
  },
  {
    what: 'a Fleet agent that was stopped and does not start at boot',
    script: 'systemctl disable --now orbit.service >&2',
    codes: ['agent-running', 'agent-at-boot'],
  },
  {
    what: 'a root that is gone from the bundle',
    // The other root of this machine stands there twice: update-ca-certificates makes links to a bundle of one certificate.
    script: `perl -0777 -i -pe 'BEGIN { open F, glob "${ROOTS}/kiwistack-root-*.crt"; $root = <F> } s/\\Q$root\\E//; $_ x= 2' /etc/ssl/certs/ca-certificates.crt`,
    codes: ['trust-system'],
  },
  {
    what: 'what a killed run left behind',
    script: `touch -d '2 hours ago' ${STATE}/.enrollment.json.0123456789ab.tmp ${CERTS}/.acme.key.0123456789ab.tmp`,
    codes: ['leftovers'],
  },
  {
    what: 'a file of the package that somebody changed',
    script: `cp -a /usr/share/man/man8/kiwistack-enroll.8.gz /srv/; echo x >>/usr/share/man/man8/kiwistack-enroll.8.gz`,
    codes: ['package'],
    undo: 'cp -a /srv/kiwistack-enroll.8.gz /usr/share/man/man8/; rm /srv/kiwistack-enroll.8.gz',
  },
];
