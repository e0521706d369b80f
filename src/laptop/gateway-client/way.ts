import { Agent, type Dispatcher } from 'undici';

import { connectThroughProxy, type ConnectOptions } from './connect-through-proxy.ts';
import type { Proxy } from './proxy.ts';

/** One way to the gateway, with connections of its own. */
export interface Way {
  readonly dispatcher: Dispatcher;
  /** Undefined: directly. */
  readonly proxy: Proxy | undefined;
  close(): Promise<void>;
}

export function openWay(options: ConnectOptions, proxy?: Proxy): Way {
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
