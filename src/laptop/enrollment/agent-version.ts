import manifest from '../../../package.json' with { type: 'json' };

/** The version of this program, as it goes into the hello. */
export const AGENT_VERSION: string = manifest.version;
