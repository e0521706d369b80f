import { linuxPlatform } from '../../../../platform/linux/index.ts';
import { collectFingerprint } from '../../../../src/laptop/fingerprint/collect-fingerprint.ts';
import { describeHost } from '../../../../src/laptop/fingerprint/describe-host.ts';
import { answerCall } from './read-call.ts';

const { hardware, preflight } = linuxPlatform();

await answerCall(async ({ verb, salt }: { verb: 'fingerprint' | 'host' | 'preflight'; salt?: string }) => {
  switch (verb) {
    case 'fingerprint':
      return collectFingerprint(hardware, Buffer.from(salt ?? '', 'base64'));
    case 'host':
      return describeHost(hardware);
    case 'preflight':
      return preflight.check();
  }
});
