import { provideImage } from './image/build-image.ts';

/** For vitest, once per run: the suites run in parallel, and must not each build the image. */
export default async function provideImageOnce(): Promise<void> {
  await provideImage((what) => process.stderr.write(`machine: ${what}\n`));
}
