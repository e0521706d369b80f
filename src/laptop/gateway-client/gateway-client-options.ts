import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Proxy } from './proxy.ts';

export interface GatewayClientOptions {
  /** https://host[:port], from the certificate on the key. */
  readonly gatewayUrl: string;
  /** PEM bundle of the system's trust store. TLS is for privacy here; the proof is in the messages. */
  readonly systemCa: string;
  /** The only way to the gateway. */
  readonly proxy?: Proxy | undefined;
  /**
   * Used where the gateway cannot be reached directly. Not the other way round: in a network that needs no proxy, whoever has the
   * proxy's address there would be shown its password.
   */
  readonly fallbackProxy?: Proxy | undefined;
  readonly clock?: Clock;
  /** Is told of every exchange, with the id under which the gateway's log has it. */
  readonly log?: Log | undefined;
  /** How often a request that got no answer is sent again, byte for byte. */
  readonly retries?: number;
  /** Time limit for one attempt in total, milliseconds. */
  readonly deadlineMs?: number;
  /** How long a request may be put off by the gateway, in total, milliseconds. */
  readonly patienceMs?: number;
  /** A number from 0 to 1: many clients that lost the same gateway must not come back at the same moments. */
  readonly random?: () => number;
  /** A time that is past, by what the slice has signed, milliseconds since 1970: a clock that shows less is wrong. */
  readonly pastMs?: number | undefined;
}
