#!/usr/bin/env node
import { main } from './cli/program.js';

// The command gets the error and ends. These keep the error from ending the process at once, before a sandbox is deleted; what is
// written afterwards is lost, as for any program whose reader is gone.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
process.exitCode = await main(process.argv.slice(2), { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env });
