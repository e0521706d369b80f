/**
 * Ctrl-C, or the system's request to terminate, cancels: the command undoes its changes and exits with 130. A second signal
 * only reports that this is in progress.
 */
export function cancelOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.stderr.write('Still undoing changes; please wait.\n');
      else process.stderr.write('\nCancelling …\n');
      controller.abort();
    });
  }
  return controller.signal;
}

/** The same for a command that changes nothing: it just ends. */
export function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
