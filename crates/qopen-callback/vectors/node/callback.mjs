// Verifies and opens a callback of the qopen platform.

import { createDecipheriv, createHash, timingSafeEqual } from "node:crypto";

// The message is the reason: malformed, app_key, signature or undecryptable.
export class Refused extends Error {}

// The member `timestamp` as a number. JSON.parse would lose digits of it.
const NUMBER = /("timestamp"\s*:\s*)(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=\s*[,}])/g;

// Returns the payload as a Buffer. Throws Refused, or another error for a key of the wrong length.
export function openCallback(body, appKey, token, encodingAesKey) {
  const key = Buffer.from(encodingAesKey, encodingAesKey.length === 43 ? "base64" : "utf8");
  const cipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, key.subarray(0, 16));
  let fields;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    // A number keeps its digits: they are what the platform signed.
    const envelope = JSON.parse(text.replace(NUMBER, '$1"$2"'));
    fields = ["app_key", "nonce", "timestamp", "signature", "encoding_content"].map((name) => {
      if (typeof envelope[name] !== "string") throw new TypeError(`${name} is not a string`);
      return Buffer.from(envelope[name]);
    });
  } catch (cause) {
    throw new Refused("malformed", { cause });
  }
  const [sentKey, nonce, timestamp, signature, content] = fields;
  if (!sentKey.equals(Buffer.from(appKey))) throw new Refused("app_key");
  // Sorted as bytes: strings would be compared by their UTF-16.
  const signed = [sentKey, Buffer.from(token), nonce, timestamp, content].sort(Buffer.compare);
  const expected = Buffer.from(createHash("md5").update(Buffer.concat(signed)).digest("hex"));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw new Refused("signature");
  }
  const encrypted = Buffer.from(content.toString(), "base64");
  // Buffer.from skips what is not base64, and a decipher refuses a part of a block.
  if (encrypted.toString("base64") !== content.toString() || encrypted.length % 16 !== 0) {
    throw new Refused("undecryptable");
  }
  const plain = Buffer.concat([cipher.setAutoPadding(false).update(encrypted), cipher.final()]);
  const padding = plain.at(-1) ?? 0;
  const end = plain.subarray(-padding);
  if (padding < 1 || padding > 32 || end.length !== padding || end.some((it) => it !== padding)) {
    throw new Refused("undecryptable");
  }
  return plain.subarray(0, -padding);
}
