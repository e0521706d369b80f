import { linuxPlatform } from '../../../../platform/linux/index.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { answerCall } from './read-call.ts';

export type TunnelCall =
  | { verb: 'up'; config: Omit<TunnelConfig, 'privateKey'>; privateKey: string }
  | { verb: 'down' | 'status' | 'localNetworks'; slug: string }
  | { verb: 'follow'; slug: string; endpoints: readonly string[] }
  | { verb: 'probe'; address: string; timeoutMs: number };

const { tunnel } = linuxPlatform();

await answerCall(async (call: TunnelCall) => {
  switch (call.verb) {
    case 'up':
      return tunnel.up({ ...call.config, privateKey: new SecretBytes(Buffer.from(call.privateKey, 'base64')) });
    case 'down':
    case 'status':
    case 'localNetworks':
      return tunnel[call.verb](call.slug);
    case 'follow':
      return tunnel.follow(call.slug, call.endpoints);
    case 'probe':
      return tunnel.probe(call.address, call.timeoutMs);
  }
});
