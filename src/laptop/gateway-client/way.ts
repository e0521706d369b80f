import { Agent, type Dispatcher } from 'undici';

import { connectThroughProxy, type ConnectOptions } from './connect-through-proxy.ts';
import type { Proxy } from './proxy.ts';

const CONNECT_MS = 10_000;
/** The same where there is another way: a firewall that drops packets must not use up the time. */
const DIRECT_MS = 3_000;

/** One way to the gateway, with connections of its own. */
export interface Way {
  readonly dispatcher: Dispatcher;
  /** Undefined: directly. */
  readonly proxy: Proxy | undefined;
  close(): Promise<void>;
}

interface WayOptions {
  readonly systemCa: string;
  readonly proxy?: Proxy | undefined;
  readonly fallbackProxy?: Proxy | undefined;
}

function openWay(options: ConnectOptions, proxy?: Proxy): Way {
  const connector = proxy === undefined ? undefined : connectThroughProxy(proxy, options);
  const dispatcher = new Agent({ connect: connector?.connect ?? { ...options } });
  return {
    dispatcher,
    proxy,
    close: async () => {
      await dispatcher.destroy();
      await connector?.close();
    },
  };
}

/** The ways to the gateway, in the order in which they are tried. */
export function waysOf({ systemCa: ca, proxy, fallbackProxy }: WayOptions, verify = true): readonly [Way, ...Way[]] {
  const options = { ca, timeout: CONNECT_MS, ...(verify ? {} : { rejectUnauthorized: false }) };
  return proxy !== undefined || fallbackProxy === undefined
    ? [openWay(options, proxy)]
    : [openWay({ ...options, timeout: DIRECT_MS }), openWay(options, fallbackProxy)];
}
