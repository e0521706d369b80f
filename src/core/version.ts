import manifest from '../../package.json' with { type: 'json' };

/** The version of every program here: what `--version` prints, and what a laptop tells the slice in its hello. */
export const VERSION: string = manifest.version;
