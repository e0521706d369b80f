import { linuxSystem } from '../../platform/linux/system.ts';
import { LinuxTunnel } from '../../platform/linux/tunnel/linux-tunnel.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';

/** Runs in a machine: one call of the product's tunnel, from standard input to standard output. */
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const call = JSON.parse(Buffer.concat(chunks).toString()) as {
  readonly verb: 'up' | 'down' | 'status';
  readonly config: Omit<Parameters<LinuxTunnel['up']>[0], 'privateKey'>;
  readonly privateKey: string;
};
const tunnel = new LinuxTunnel(linuxSystem);
try {
  if (call.verb === 'up') {
    await tunnel.up({ ...call.config, privateKey: new SecretBytes(Buffer.from(call.privateKey, 'base64')) });
  } else if (call.verb === 'down') await tunnel.down(call.config.slug);
  console.log(JSON.stringify(await tunnel.status(call.config.slug)));
} catch (error) {
  if (!(error instanceof KiwiError)) throw error;
  console.log(JSON.stringify({ error: error.code, detail: error.detail }));
}
