import { expect } from 'vitest';

import { CLI } from '../../world/world.ts';
import type { Event } from './cli-run.ts';
import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

const CERTS = '/etc/step/certs';
const STATE = '/var/lib/kiwistack';
const ROOTS = '/usr/local/share/ca-certificates';
const TUNNEL = 'kiwi-acme';

interface Fault {
  readonly what: string;
  readonly script: string;
  /** The checks that are not well because of it, and no others. */
  readonly codes: readonly string[];
  /** What puts it right where `--fix` does not: it needs a decision, or is not ours. */
  readonly undo?: string;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'a device key that others can read',
    script: `chmod 644 ${CERTS}/acme.key`,
    codes: ['device-key-private', 'file-permissions'],
  },
  {
    what: 'a profile of the tunnel that belongs to another user',
    script: `chown 1000 /etc/wireguard/${TUNNEL}.conf`,
    codes: ['file-permissions'],
  },
  {
    what: 'a state folder that everybody can enter',
    script: `chmod 755 ${STATE}`,
    codes: ['file-permissions'],
  },
  {
    what: 'a tunnel that was stopped',
    script: `systemctl stop wg-quick@${TUNNEL}.service`,
    codes: ['tunnel-up'],
  },
  {
    what: 'an interface that was deleted under its unit',
    script: `ip link delete dev ${TUNNEL}`,
    codes: ['tunnel-up'],
  },
  {
    what: 'a tunnel that does not start at boot',
    script: `systemctl disable wg-quick@${TUNNEL}.service`,
    codes: ['tunnel-at-boot'],
  },
  {
    what: 'a peer that may send less than was granted',
    script: `wg set ${TUNNEL} peer $(wg show ${TUNNEL} peers) allowed-ips 10.77.0.0/24`,
    codes: ['tunnel-peer'],
  },
  {
    what: 'a second peer',
    script: `wg set ${TUNNEL} peer "$(wg genkey | wg pubkey)" allowed-ips 192.0.2.66/32`,
    codes: ['tunnel-peer'],
  },
  {
    what: 'a tunnel without keepalive',
    script: `wg set ${TUNNEL} peer $(wg show ${TUNNEL} peers) persistent-keepalive off`,
    codes: ['tunnel-keepalive'],
  },
  {
    what: 'a route that somebody removed',
    script: `ip route del 10.77.1.0/24 dev ${TUNNEL}`,
    codes: ['routes'],
  },
  {
    what: 'a rule of another VPN that takes everything',
    script: 'ip rule add from all lookup 52 priority 5270; ip route add 10.77.1.0/24 dev eth0 table 52',
    codes: ['networks'],
    undo: 'ip rule del priority 5270; ip route flush table 52',
  },
  {
    what: 'names inside without a server',
    script: `resolvectl dns ${TUNNEL} ''; resolvectl domain ${TUNNEL} ''`,
    codes: ['dns-split'],
  },
  {
    what: 'a tunnel that takes all names',
    script: `resolvectl domain ${TUNNEL} '~corp.example' '~.'`,
    codes: ['dns-public'],
  },
  {
    what: 'another network that claims the domain',
    script: "resolvectl domain eth0 '~corp.example'",
    codes: ['dns-domains'],
    undo: "resolvectl domain eth0 ''",
  },
  {
    what: 'a bundle of roots without ours',
    script: `mv ${ROOTS}/kiwistack-root-*.crt /tmp/; update-ca-certificates --fresh; mv /tmp/kiwistack-root-*.crt ${ROOTS}/`,
    codes: ['trust-system'],
  },
  {
    what: 'a root that the next update drops',
    script: `rm ${ROOTS}/kiwistack-root-*.crt /etc/ssl/certs/kiwistack-root-*.pem`,
    codes: ['trust-source'],
  },
  {
    what: 'a profile of Firefox without the root',
    script:
      'echo fox:x:1234:1234::/srv/fox:/bin/sh >>/etc/passwd; d=/srv/fox/.mozilla/firefox/abc.default; mkdir -p $d; head -c 9000 /dev/urandom >$d/cert9.db',
    codes: ['trust-firefox'],
    undo: "sed -i '/^fox:/d' /etc/passwd; rm -r /srv/fox",
  },
  {
    what: 'an agent that was stopped',
    script: 'systemctl stop orbit.service',
    codes: ['agent-running'],
  },
  {
    what: 'an agent that does not start at boot',
    script: 'systemctl disable orbit.service',
    codes: ['agent-at-boot'],
  },
  {
    what: 'an enroll secret that is on the disk again',
    script: "sed -i 's/^ORBIT_ENROLL_SECRET=.*/ORBIT_ENROLL_SECRET=again/' /etc/fleet/enroll.env",
    codes: ['agent-secret'],
  },
  {
    what: 'what a killed run left behind',
    script: `touch -d '2 hours ago' ${STATE}/.enrollment.json.0123456789ab.tmp ${CERTS}/.acme.key.0123456789ab.tmp`,
    codes: ['leftovers'],
  },
  {
    what: 'the certificate of an earlier key',
    script: `openssl ecparam -name prime256v1 -genkey -noout -out /tmp/other.pem
      cp ${CERTS}/acme.crt /tmp/acme.crt
      openssl req -x509 -key /tmp/other.pem -subj /CN=doris -days 1 >/tmp/leaf.pem
      sed -n '/BEGIN/,$p' ${CERTS}/acme.crt | awk '/BEGIN/{n++} n>1' >/tmp/issuer.pem
      cat /tmp/leaf.pem /tmp/issuer.pem >${CERTS}/acme.crt`,
    codes: ['device-key-certificate', 'certificate-chain', 'files-of-ours'],
  },
];

/** A laptop that is examined while it is well, and with one thing after the other broken. */
export function whatDoctorSees(getCustomer: () => Customer): void {
  story('a laptop at the doctor', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let seat: Seat;
    const doctor = (...args: string[]) => customer.world.cli(seat.laptop, ['doctor', '--json', ...args]);
    const shell = async (script: string): Promise<void> => {
      const result = await seat.laptop.run(['/bin/sh', '-ec', script]);
      expect(result, result.stderr + result.stdout).toMatchObject({ code: 0 });
    };
    const notWell = async (): Promise<string[]> => codesOf((await doctor()).result);

    step('is clean after its enrollment, and each check says what it saw', async () => {
      customer = getCustomer();
      seat = await takeSeat('doris', { resolved: true });
      const run = await runEnroll(seat.laptop);
      expect(run.code, run.output).toBe(0);
      const { code, result } = await doctor();
      expect(codesOf(result)).toEqual([]);
      expect([code, result['result']]).toEqual([0, 'well']);
      const checks = result['checks'] as Event[];
      expect(checks.length).toBeGreaterThanOrEqual(40);
      expect(checks.filter(({ saw }) => saw === '')).toEqual([]);
    });

    for (const { what, script, codes, undo } of FAULTS) {
      step(
        `with ${what}: doctor names it, ${undo === undefined ? 'mends it,' : 'leaves it to people,'} and is clean again`,
        async () => {
          await shell(script);
          expect(await notWell()).toEqual(codes);
          const fixed = await doctor('--fix');
          const repairs = fixed.result['repairs'] as { for: string[]; mended: string[] }[];
          if (undo === undefined) {
            expect(repairs, fixed.stdout).not.toEqual([]);
            for (const { for: of, mended } of repairs) expect(mended).toEqual(of);
          } else await shell(undo);
          expect(await notWell()).toEqual([]);
        },
      );
    }

    step('without root says what it cannot see, and is not the end', async () => {
      const user = ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
      const { stdout } = await seat.laptop.run([...user, ...CLI, 'doctor', '--json']);
      const checks = (JSON.parse(stdout) as { checks: Event[] }).checks;
      expect(checks.find(({ code }) => code === 'device-key-private')).toMatchObject({ state: 'not-known' });
      expect(checks.find(({ code }) => code === 'disk-space')).toMatchObject({ state: 'well' });
    });

    step('is let go', async () => {
      expect(await customer.world.cli(seat.laptop, ['uninstall', '--json'])).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, seat);
    });
  });
}

const codesOf = (result: Event): string[] =>
  (result['checks'] as Event[]).filter(({ state }) => state === 'not-well').map(({ code }) => String(code));
