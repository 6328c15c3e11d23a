// node run.mjs MODULE <INPUT >OUTPUT
import { readFileSync } from 'node:fs';
import { run } from './module.mjs';

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const lines = readFileSync(0, 'utf8').split('\n').filter((line) => line !== '');
for (const line of await run(module, lines)) process.stdout.write(`${line}\n`);
