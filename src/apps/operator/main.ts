#!/usr/bin/env node
import { CommanderError } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { operatorProgram } from './operator-program.ts';

outliveReader();
try {
  await operatorProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
