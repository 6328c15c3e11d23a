"""Opens each test vector: python3 vectors.py ../envelopes.json"""

import base64
import hashlib
import json
import sys

from callback import Refused, open_callback

with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)["cases"]
for case in cases:
    body = case["body"].encode() if "body" in case else base64.b64decode(case["body_base64"])
    try:
        payload = open_callback(body, case["app_key"], case["token"], case["encoding_aes_key"])
        result = hashlib.sha256(payload).hexdigest()
    except Refused as error:
        result = f"refused: {error}"
    print(case["name"], result, sep="\t")
