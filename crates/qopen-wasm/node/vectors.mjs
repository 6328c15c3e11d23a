// node vectors.mjs MODULE ENVELOPES: every vector opens or is refused as it says, and the pages make their lists.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { run } from './module.mjs';

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const { cases } = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const lines = cases.flatMap(({ app_key, token, encoding_aes_key, body, body_base64 }) => [
  JSON.stringify({ app_key, token, encoding_aes_key }),
  JSON.stringify(body === undefined ? { body_base64 } : { body }),
]);
const output = (await run(module, lines)).map((line) => JSON.parse(line));
const answers = output.slice(0, cases.length);
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
const expected = new Map();
answers.forEach((answer, at) => {
  const vector = cases[at];
  if (vector.refused !== undefined) {
    assert.ok(vector.refused.includes(answer.refused), `${vector.name}: ${JSON.stringify(answer)}`);
    return;
  }
  const payload = Buffer.from(answer.payload ?? answer.payload_base64, answer.payload === undefined ? 'base64' : 'utf8');
  assert.equal(digest(payload), vector.payload_sha256 ?? digest(vector.payload), vector.name);
  let page;
  try {
    page = JSON.parse(payload);
  } catch {
    return; // not JSON: such payloads are among the vectors
  }
  if (page.event_type !== 42016) return;
  const name = `${page.robot_id} ${page.data.mark_id}`;
  const list = expected.get(name) ?? { complete: false, accounts: new Map() };
  list.complete ||= !page.data.has_more;
  for (const account of page.data.account_list) list.accounts.set(account.account_id, account);
  expected.set(name, list);
});
const lists = output.slice(cases.length);
assert.equal(lists.length, expected.size);
for (const { robot_id, mark_id, complete, accounts } of lists) {
  const list = expected.get(`${robot_id} ${mark_id}`);
  assert.equal(complete, list.complete);
  assert.deepEqual(accounts, [...list.accounts.keys()].sort().map((id) => list.accounts.get(id)));
}
assert.ok(lists.length > 0 && lists.some((it) => it.accounts.length > 10));
process.stdout.write(`${cases.length} vectors, ${lists.length} lists\n`);
