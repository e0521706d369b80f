// Defined by installers/build/bundle.ts; undefined when the sources run unbuilt.
declare const KIWISTACK_BUILD_KIND: 'production' | 'test' | undefined;

/** What is running: the sources as they are, the program that people install, or a build that tests may interfere with. */
export const BUILD_KIND: 'source' | 'production' | 'test' =
  typeof KIWISTACK_BUILD_KIND === 'undefined' ? 'source' : KIWISTACK_BUILD_KIND;
