import { linuxPlatform } from '../../../../platform/linux/index.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { answerCall } from './read-call.ts';

await answerCall(async ({ verb, pem }: { verb: 'install' | 'verify' | 'remove'; pem: string }) =>
  linuxPlatform().trust[verb]([parseCertificate(pem)]),
);
