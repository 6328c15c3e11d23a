// Opens each test vector: node vectors.mjs ../envelopes.json

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { Refused, openCallback } from "./callback.mjs";

for (const it of JSON.parse(readFileSync(process.argv[2], "utf8")).cases) {
  const body = "body" in it ? Buffer.from(it.body) : Buffer.from(it.body_base64, "base64");
  let result;
  try {
    const payload = openCallback(body, it.app_key, it.token, it.encoding_aes_key);
    result = createHash("sha256").update(payload).digest("hex");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    result = `refused: ${error.message}`;
  }
  console.log(`${it.name}\t${result}`);
}
