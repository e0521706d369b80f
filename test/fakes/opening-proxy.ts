import { createServer as createHttpServer } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';

import { DAY, issueCertificate } from '../../src/pki/issue.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { EKU } from '../../src/pki/roles.ts';

/** An HTTP proxy that opens TLS: it has a certificate of its own for every name, reads what is said, and may change it. */
export interface OpeningProxy {
  readonly address: string;
  /** PEM: whoever trusts it for the web is read. */
  readonly ca: string;
  /** All bodies that passed, in both directions. */
  readonly read: string[];
  /** Changes an answer on its way. */
  change: ((path: string, answer: string) => string) | undefined;
  close(): Promise<void>;
}

/** @param upstream where it connects everybody to, and the PEM with which it verifies that */
export async function startOpeningProxy(upstream: { name: string; port: number; ca: string }): Promise<OpeningProxy> {
  const [caKey, key] = [generateP256(), generateP256()];
  const life = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
  const ca = await issueCertificate({ subject: { cn: 'a proxy' }, key: caKey, ...life, ca: { pathLength: 0 } });
  const certificate = await issueCertificate({
    ...{ subject: { cn: upstream.name }, key, issuer: { certificate: ca, key: caKey } },
    ...{ ...life, extendedKeyUsages: [EKU.serverAuth], sanDns: [upstream.name] },
  });
  const read: string[] = [];
  const inner = createHttpServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      read.push(body.toString('latin1'));
      const { method, url = '', headers } = incoming;
      const { name, port } = upstream;
      const asked = { host: '127.0.0.1', port, servername: name, ca: upstream.ca, method, path: url, headers };
      const outgoing = requestHttps(asked, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const said = Buffer.concat(parts).toString('latin1');
          read.push(said);
          const changed = proxy.change?.(url, said) ?? said;
          const type = answer.headers['content-type'] ?? '';
          response
            .writeHead(answer.statusCode ?? 502, { 'content-type': type, via: '1.1 proxy' })
            .end(changed, 'latin1');
        });
      });
      outgoing.on('error', () => response.writeHead(502).end());
      outgoing.end(body);
    });
  });
  const outer = createHttpServer();
  outer.on('connect', (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.on('error', () => undefined);
    const tls = new TLSSocket(socket, {
      isServer: true,
      cert: certificate.pem,
      key: key.export({ type: 'pkcs8', format: 'pem' }),
    });
    tls.on('error', () => undefined);
    inner.emit('connection', tls);
  });
  await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
  const proxy: OpeningProxy = {
    address: `127.0.0.1:${(outer.address() as AddressInfo).port}`,
    ca: ca.pem,
    read,
    change: undefined,
    close: async () => {
      inner.closeAllConnections();
      outer.closeAllConnections();
      await new Promise((resolve) => outer.close(resolve));
    },
  };
  return proxy;
}
