import { provideImage } from './image/build-image.ts';

/** For vitest, once a run: the suites go on side by side, and the image is not to be built by each of them. */
export default async function provideImageOnce(): Promise<void> {
  await provideImage((what) => process.stderr.write(`machine: ${what}\n`));
}
