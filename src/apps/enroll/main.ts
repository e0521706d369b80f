#!/usr/bin/env node
import { stderrIsJournal } from '../../terminal/journal-log.ts';
import { runCommands } from '../../terminal/run-commands.ts';
import { enrollProgram } from './enroll-program.ts';

const usesNpx = process.env['npm_command'] === 'exec';
const inJournal = stderrIsJournal(process.env);
// Not awaited at the top level: the built program is a script, not a module.
void runCommands(enrollProgram(), { reader: { is: 'staff', usesNpx, inJournal }, argv: process.argv });
