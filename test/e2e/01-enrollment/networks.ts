import { expect } from 'vitest';

import type { RunResult } from '../../lab/run-in-room.ts';
import { CLI, INTRANET_URL } from '../../world/world.ts';
import { CliRun, type Event } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

/** A room has no package and no time service, so that some checks cannot look. */
const SEEN: ReadonlySet<string> = new Set(['well', 'not-known']);

/** Networks that people are in: with a proxy, with addresses of their own, with small packets; and a slice that moves. */
export function networksAsTheyAre(getCustomer: () => Customer): void {
  story('behind a proxy with a password', getCustomer, (step, seat) => {
    const barred = 'ipproto tcp to 203.0.113.10 unreachable';
    let customer: Customer;
    let nina: Seat;
    let proxy: Awaited<ReturnType<Customer['proxy']>>;
    let address: string;

    step('a laptop is enrolled, whose shell alone knows the proxy, and without its scheme', async () => {
      customer = getCustomer();
      [nina, proxy] = await Promise.all([seat('nina'), customer.proxy('guarded-proxy', 'anna:geheim-4711')]);
      address = new URL(proxy.url).host;
      await shell(nina, `ip rule add ${barred}`);
      const run = new CliRun(nina.laptop, { env: { HTTPS_PROXY: `anna:geheim-4711@${address}` } });
      expect(await run.ended, run.output).toBe(0);
      expect(new Set(proxy.asked())).toEqual(new Set(['enroll.acme.example:443']));
    });

    step('a timer, which has nobody’s environment, goes through it too', async () => {
      const asked = proxy.asked().length;
      expect(await cli(nina, ['check'])).toMatchObject({ code: 0, result: { result: 'active' } });
      expect(proxy.asked().length).toBeGreaterThan(asked);
    });

    step('the password is in one file, which only root can read, and is not shown', async () => {
      const found = await shell(
        nina,
        'grep -rl -e geheim-4711 /etc /var/lib/kiwistack /var/log /run /opt/orbit /tmp || true',
      );
      expect(found.trim().split('\n')).toEqual(['/var/lib/kiwistack/enrollment.json']);
      expect(await shell(nina, 'stat -c %a:%U /var/lib/kiwistack/enrollment.json')).toBe('600:root\n');
      const [person, program] = [await customer.world.cli(nina.laptop, ['status']), await cli(nina, ['status'])];
      expect(person.stdout).toContain(`proxy        http://${address}, where there is no direct way`);
      expect(program).toMatchObject({ code: 0, result: { record: { proxy: `http://${address}` } } });
      expect(person.stdout + program.stdout).not.toContain('geheim');
    });

    step('what a proxy answers is said, and which one', async () => {
      const detail = `http://${address} (from HTTPS_PROXY) answered HTTP 407`;
      const wants = await cli(nina, ['check'], { HTTPS_PROXY: `anna:falsch@${address}` });
      expect(wants).toMatchObject({ code: 5, result: { error: { code: 'proxy-authentication', detail } } });
      const nobody = `${new URL(proxy.url).hostname}:9`;
      const gone = await cli(nina, ['check'], { https_proxy: nobody });
      const error = { code: 'proxy-unreachable', detail: `http://${nobody} (from https_proxy): ECONNREFUSED` };
      expect(gone).toMatchObject({ code: 5, result: { error } });
    });

    step(
      'a variable that names no proxy does not stop an uninstallation; the proxy is kept until it is told',
      async () => {
        const env = { HTTPS_PROXY: 'socks5://127.0.0.1' };
        expect(await cli(nina, ['uninstall'], env)).toMatchObject({ code: 0, result: { farewell: 'kept' } });
        expect(await cli(nina, ['check'])).toMatchObject({ code: 0, result: { farewells: [{ told: true }] } });
        await shell(nina, `ip rule del ${barred}`);
        await expectNothingLeft(customer, nina);
        await proxy.stop();
      },
    );
  });

  story('in a network that overlaps with the customer’s', getCustomer, (step, seat) => {
    let customer: Customer;
    let otto: Seat;
    const refuses = async (arrange: string, detail: string): Promise<void> => {
      await shell(otto, arrange);
      const run = new CliRun(otto.laptop);
      expect(await run.ended, run.output).toBe(6);
      expect(run.error, run.output).toMatchObject({ code: 'network-overlap', detail });
      expect(run.events.find(({ type }) => type === 'step-failed')?.['step']).toBe('grant');
      await expectNothingLeft(customer, otto);
    };

    step('an own address in it: refused before anything is installed', async () => {
      customer = getCustomer();
      otto = await seat('otto');
      const detail = "eth0 has the address 10.77.1.200/24, which is in the customer's network 10.77.1.0/24";
      await refuses('ip address add 10.77.1.200/24 dev eth0', detail);
      await shell(otto, 'ip address del 10.77.1.200/24 dev eth0');
    });

    step('a route to half of it, or with the metric of a wireless network', async () => {
      const where = "which is in the customer's network 10.77.1.0/24";
      await refuses('ip route add 10.77.1.0/25 dev eth0', `eth0 has a route to 10.77.1.0/25, ${where}`);
      await shell(otto, 'ip route del 10.77.1.0/25 dev eth0');
      const metric = '10.77.1.0/24 dev eth0 metric 600';
      await refuses(`ip route add ${metric}`, `eth0 has a route to 10.77.1.0/24, ${where}`);
      await shell(otto, `ip route del ${metric}`);
    });

    step('a wider route does not matter; status sees one that comes later', async () => {
      await shell(otto, 'ip route add 10.0.0.0/8 dev eth0');
      const run = new CliRun(otto.laptop);
      expect(await run.ended, run.output).toBe(0);
      expect(await cli(otto, ['status'])).toMatchObject({ code: 0, result: { result: 'healthy' } });
      await shell(otto, 'ip route add 10.77.1.0/24 dev eth0 metric 600');
      const status = await cli(otto, ['status']);
      const checks = status.result['checks'] as Event[];
      expect(status).toMatchObject({ code: 6, result: { result: 'unhealthy' } });
      expect(checks.filter(({ state }) => state === 'not-well')).toMatchObject([
        { code: 'networks', state: 'not-well', error: { code: 'network-overlap' } },
      ]);
      const person = await customer.world.cli(otto.laptop, ['status']);
      expect(person.stdout).toContain('✗ networks: A network of this laptop overlaps');
      expect(await cli(otto, ['uninstall'])).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, otto);
    });
  });

  story('of a slice that moves', getCustomer, (step, seat) => {
    // An address that the slice has besides: for the others it stays where it was.
    const [before, after] = ['203.0.113.10', '203.0.113.77'];
    let customer: Customer;
    let mona: Seat;

    step('status sees that the tunnel uses the old address', async () => {
      customer = getCustomer();
      mona = await seat('mona');
      const run = new CliRun(mona.laptop);
      expect(await run.ended, run.output).toBe(0);
      const { code } = await customer.world.slice.run(['/usr/sbin/ip', 'address', 'add', `${after}/24`, 'dev', 'eth0']);
      expect(code).toBe(0);
      await shell(mona, `sed -i 's/^${before}/${after}/' /etc/hosts; ip route add blackhole ${before}`);
      const status = await cli(mona, ['status']);
      expect(status.code).toBe(5);
      expect((status.result['checks'] as Event[]).filter(({ state }) => state === 'not-well')).toMatchObject([
        { code: 'tunnel-endpoint', error: { code: 'tunnel-endpoint-moved' } },
        { code: 'tunnel-inside' },
      ]);
    });

    step('check lets it follow, for good', async () => {
      const endpoint = `${after}:51820`;
      const check = await cli(mona, ['check']);
      expect(check, check.stdout).toMatchObject({ code: 0, result: { tunnel: { followedTo: endpoint } } });
      expect(await cli(mona, ['status'])).toMatchObject({ code: 0, result: { result: 'healthy' } });
      expect(await cli(mona, ['check'])).toMatchObject({ code: 0, result: { tunnel: {} } });
      expect(await shell(mona, 'cat /etc/wireguard/kiwi-acme.conf')).toContain(`Endpoint = ${endpoint}\n`);
      expect(await cli(mona, ['uninstall'])).toMatchObject({ code: 0, result: { farewell: 'told' } });
      await shell(mona, `sed -i 's/^${after}/${before}/' /etc/hosts; ip route del blackhole ${before}`);
      await expectNothingLeft(customer, mona);
    });
  });

  story('on a path that carries small packets only', getCustomer, (step, seat) => {
    let customer: Customer;
    let pia: Seat;
    /** A router on the way drops what is larger than 1400 bytes, and fragments, and does not say so. */
    const narrow = async (play: () => Promise<void>): Promise<void> => {
      const { internet } = customer.world.lab;
      const nft = async (...argv: string[]): Promise<void> => {
        const { code, stderr } = await internet.run(['/usr/sbin/nft', ...argv]);
        expect(code, stderr).toBe(0);
      };
      const { address } = pia.laptop;
      const drops = [
        ...[`ip saddr ${address}`, `ip daddr ${address}`].map(
          (end) => `${end} meta l4proto udp meta length > 1400 drop`,
        ),
        ...[`ip saddr ${address}`, `ip daddr ${address}`].map((end) => `${end} ip frag-off & 0x3fff != 0 drop`),
      ];
      await nft(`table ip narrow {\nchain forward {\ntype filter hook forward priority 0\n${drops.join('\n')}\n}\n}`);
      await play().finally(() => nft('delete', 'table', 'ip', 'narrow'));
    };
    /** Sends 100 kB through the tunnel. */
    const post = async (): Promise<number> =>
      (
        await pia.laptop.run([
          ...['/bin/sh', '-c', 'head -c 100000 /dev/zero | curl -sSk --max-time 8 --data-binary @- "$0"', INTRANET_URL],
        ])
      ).code;
    const mtu = async (): Promise<number> =>
      Number(/mtu (\d+)/u.exec(await shell(pia, 'ip link show dev kiwi-acme'))?.[1]);

    step('an enrollment lowers the MTU of the tunnel, and ends green', async () => {
      customer = getCustomer();
      pia = await seat('pia');
      await narrow(async () => {
        const run = new CliRun(pia.laptop);
        expect(await run.ended, run.output).toBe(0);
        expect(await mtu()).toBeGreaterThan(1320);
        expect(await mtu()).toBeLessThanOrEqual(1340);
        expect(await post()).toBe(0);
        expect(await shell(pia, 'cat /etc/wireguard/kiwi-acme.conf')).toContain(`MTU = ${await mtu()}\n`);
        expect(await cli(pia, ['status'])).toMatchObject({ code: 0, result: { result: 'healthy' } });
      });
    });

    step('an enrolled laptop that comes there: status says it, check lowers the MTU', async () => {
      await shell(
        pia,
        "ip link set kiwi-acme mtu 1420; sed -i 's/^MTU = .*/MTU = 1420/' /etc/wireguard/kiwi-acme.conf",
      );
      expect(await cli(pia, ['check'])).toMatchObject({ code: 0, result: { tunnel: {} } });
      expect(await mtu()).toBe(1420);
      await narrow(async () => {
        expect(await post()).not.toBe(0);
        const status = await cli(pia, ['status']);
        expect(status.code).toBe(5);
        expect((status.result['checks'] as Event[]).filter(({ state }) => !SEEN.has(String(state)))).toMatchObject([
          { code: 'packet-size', error: { code: 'tunnel-packet-size' } },
        ]);
        const check = await cli(pia, ['check']);
        expect(check, check.stdout).toMatchObject({ code: 0, result: { tunnel: { mtuLoweredTo: await mtu() } } });
        expect(await post()).toBe(0);
        expect(await cli(pia, ['status'])).toMatchObject({ code: 0, result: { result: 'healthy' } });
      });
      expect(await cli(pia, ['uninstall'])).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, pia);
    });
  });
}

async function shell({ laptop }: Seat, script: string): Promise<string> {
  const result = await laptop.run(['/bin/sh', '-ec', script]);
  expect(result, `${script}\n${result.stderr}`).toMatchObject({ code: 0 });
  return result.stdout;
}

/** Runs a command with `--json`; its result is the last line. */
async function cli(
  { laptop }: Seat,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunResult & { result: Event }> {
  const run = await laptop.run([...CLI, ...args, '--json'], { env, timeoutMs: 300_000 });
  return { ...run, result: JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '{}') as Event };
}
