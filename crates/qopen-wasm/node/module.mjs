// Runs the module: lines of JSON in, lines of JSON out.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';

/** Runs a compiled `WebAssembly.Module` on lines of input, and returns the lines of its output. */
export async function run(module, lines) {
  // WASI reads and writes files.
  const folder = mkdtempSync(join(tmpdir(), 'qopen-'));
  const [input, output] = ['input', 'output'].map((name) => join(folder, name));
  writeFileSync(input, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  const [stdin, stdout] = [openSync(input, 'r'), openSync(output, 'w', 0o600)];
  try {
    const wasi = new WASI({ version: 'preview1', args: ['qopen'], env: {}, stdin, stdout, returnOnExit: true });
    const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
    const code = wasi.start(instance);
    if (code !== 0) throw new Error(`the module ended with code ${code}; its message is on standard error`);
    return readFileSync(output, 'utf8').split('\n').slice(0, -1);
  } finally {
    closeSync(stdin);
    closeSync(stdout);
    rmSync(folder, { recursive: true });
  }
}
