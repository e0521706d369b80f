/** Does something for each item, `concurrency` at a time. @returns the milliseconds it took in all */
export async function inParallel<T>(
  items: readonly T[],
  concurrency: number,
  act: (item: T) => Promise<unknown>,
): Promise<number> {
  const left = [...items];
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return performance.now() - start;
}
