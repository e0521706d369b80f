#!/usr/bin/env node
import { runCommands } from '../../terminal/run-commands.ts';
import { operatorProgram } from './operator-program.ts';

const usesNpx = process.env['npm_command'] === 'exec';
void runCommands(operatorProgram(), { reader: { is: 'operator', usesNpx }, argv: process.argv });
