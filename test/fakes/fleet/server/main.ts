import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { buildServer } from './build-server.ts';
import { prepareCertificates } from './certificates.ts';

const USAGE = `usage: node test/fakes/fleet/server/main.ts serve --dir DIR --listen HOST:PORT [--san NAME]...

A stand-in for a Fleet server over HTTPS. State, CA, enroll secret and API token are in DIR.
Prints {"type":"ready","url":…} on stdout when it answers; stops on SIGTERM.
`;

const optionsSchema = z.strictObject({
  dir: z.string().min(1),
  listen: z
    .string()
    .regex(/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/)
    .transform((text) => {
      const colon = text.lastIndexOf(':');
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
    }),
  san: z.array(z.string().regex(/^[A-Za-z0-9.:-]+$/)).default([]),
  quiet: z.boolean().default(false),
});

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const options = readOptions(argv);
  if (!options) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
    return;
  }
  const dir = resolve(options.dir);
  const { host, port } = options.listen;
  process.umask(0o077);
  const app = buildServer({
    dir,
    tls: prepareCertificates(dir, [...new Set([host, ...options.san])]),
    logLevel: options.quiet ? 'silent' : 'info',
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void app.close());
  await app.listen({ host, port });
  const address = app.server.address();
  const boundPort = typeof address === 'object' && address ? address.port : port;
  const name = isIP(host) === 6 ? `[${host}]` : host;
  process.stdout.write(`${JSON.stringify({ type: 'ready', url: `https://${name}:${boundPort}` })}\n`);
}

function readOptions(argv: readonly string[]): z.infer<typeof optionsSchema> | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        listen: { type: 'string' },
        san: { type: 'string', multiple: true },
        quiet: { type: 'boolean' },
      },
    });
    if (positionals.length !== 1 || positionals[0] !== 'serve') return undefined;
    return optionsSchema.parse(values);
  } catch (fault) {
    process.stderr.write(`error: ${fault instanceof z.ZodError ? z.prettifyError(fault) : (fault as Error).message}\n`);
    return undefined;
  }
}
