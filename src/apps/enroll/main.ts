#!/usr/bin/env node
import { CommanderError } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { enrollProgram } from './enroll-program.ts';

async function main(): Promise<void> {
  outliveReader();
  // A process that ends before its command has finished is an internal error.
  process.exitCode = EXIT.fault;
  try {
    await enrollProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}

void main(); // not awaited at the top level: the built program is a script, not a module
