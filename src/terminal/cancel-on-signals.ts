/**
 * Ctrl-C, or an end asked for by the system, cancels: the command takes back what it did and ends with 130.
 * A second one says that it is at it.
 */
export function cancelOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.stderr.write('Still taking back what was done; please wait.\n');
      else process.stderr.write('\nCancelling …\n');
      controller.abort();
    });
  }
  return controller.signal;
}
