import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { DAY, issueCertificate, YEAR } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type Answer = (response: ServerResponse, request: SeenRequest, socket: Socket) => void;

/** An HTTPS server on loopback that answers the n-th request with the n-th answer, the last one for ever, and remembers what it saw. */
export interface LocalGateway {
  readonly url: string;
  /** PEM of the web CA under which it proves itself. */
  readonly ca: string;
  readonly seen: readonly SeenRequest[];
  answer(...answers: Answer[]): void;
  close(): Promise<void>;
}

export async function startLocalGateway(
  name = '127.0.0.1',
  notAfter = new Date(Date.now() + YEAR),
): Promise<LocalGateway> {
  const notBefore = new Date(Date.now() - 2 * DAY);
  const caKey = generateP256();
  const ca = await issueCertificate({
    subject: { cn: 'web CA' },
    key: caKey,
    notBefore,
    notAfter: new Date(Date.now() + YEAR),
    ca: { pathLength: 0 },
  });
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: name },
    key,
    issuer: { certificate: ca, key: caKey },
    notBefore,
    notAfter,
    extendedKeyUsages: [EKU.serverAuth],
    ...(name === '127.0.0.1' ? { sanIps: [name] } : { sanDns: [name] }),
  });
  const seen: SeenRequest[] = [];
  let answers: Answer[] = [];
  const server: Server = createServer(
    { cert: certificate.pem, key: key.export({ type: 'pkcs8', format: 'pem' }) },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        const seenRequest = { method, path, headers, body: Buffer.concat(chunks) };
        const answer = answers[Math.min(seen.length, answers.length - 1)];
        seen.push(seenRequest);
        answer?.(response, seenRequest, request.socket);
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: ca.pem,
    seen,
    answer: (...next) => {
      answers = next;
      seen.length = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export const say =
  (status: number, type: string, body: string | Buffer, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': type, ...headers }).end(body);
  };

/** The reply is lost on its way. */
export const hangUp: Answer = (_response, _request, socket) => socket.destroy();
