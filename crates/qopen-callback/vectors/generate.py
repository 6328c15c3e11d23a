"""Writes envelopes.json, the test vectors of the callback envelope.

    python3 generate.py > envelopes.json

It shares no code with qopen, nor with the snippets beside it. It needs the package `cryptography`.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

APP, TOKEN, KEY = "coe0example0app0key", "callbackTokenZ9", "8f3Kq0Zs7TnXw2Lp5Rv9Yb1Dc4Gh6Jm0"
NONCE, TIME = "n0nce-1", "1763850000"
FIELDS = ["app_key", "nonce", "timestamp", "signature", "encoding_content"]
SMALL = '{"event_type":20001,"robot_id":"robot-1"}'

cases = []


def bytes_of(text):
    return text if isinstance(text, bytes) else text.encode()


def padded(payload, block):
    missing = block - len(payload) % block
    return payload + bytes([missing]) * missing


def aes(key):
    key = base64.b64decode(key + "=") if len(key) == 43 else key.encode()
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def base64_of(binary):
    return base64.b64encode(binary).decode()


def encrypted(plain, key=KEY):
    encryptor = aes(key).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def content_of(payload, block=16, key=KEY):
    return base64_of(encrypted(padded(bytes_of(payload), block), key))


def sign(app_key, token, nonce, timestamp, content):
    values = [value.encode() for value in (app_key, token, nonce, timestamp, content)]
    return hashlib.md5(b"".join(sorted(values))).hexdigest()


def envelope(content, app_key=APP, token=TOKEN, nonce=NONCE, timestamp=TIME):
    values = [app_key, nonce, timestamp, sign(app_key, token, nonce, timestamp, content), content]
    return dict(zip(FIELDS, values))


def add(name, body, **rest):
    if isinstance(body, dict):
        body = compact(body)
    body = {"body": body} if isinstance(body, str) else {"body_base64": base64_of(body)}
    config = {"app_key": APP, "token": TOKEN, "encoding_aes_key": KEY}
    config.update((key, rest.pop(key)) for key in list(config) if key in rest)
    cases.append({"name": name, **config, **body, **rest})


def opens(name, payload=SMALL, block=16, body=None, **changed):
    """A case that opens. `body` rewrites the envelope's text."""
    names = ("app_key", "token", "encoding_aes_key")
    config = {name: changed[name] for name in names if name in changed}
    content = content_of(payload, block, changed.pop("encoding_aes_key", KEY))
    sealed = envelope(content, **changed)
    if isinstance(payload, str) and len(payload) < 4000:
        expected = {"payload": payload}
    else:
        expected = {"payload_sha256": hashlib.sha256(bytes_of(payload)).hexdigest()}
    add(name, body(sealed) if body else sealed, padded_to=block, **config, **expected)


def refused(reason, bodies):
    """Cases that are refused, by name. With two reasons, readers of JSON differ."""
    reasons = reason.split(" or ")
    for name, body in bodies.items():
        chance = reason == "undecryptable" and decrypts(body["encoding_content"])
        assert not chance, f"{name}: it opens by chance"
        add(name, body, refused=reasons)


def decrypts(content):
    """Whether the content decrypts to a text with padding."""
    try:
        decryptor = aes(KEY).decryptor()
        plain = decryptor.update(base64.b64decode(content, validate=True)) + decryptor.finalize()
    except ValueError:
        return False
    return any(plain.endswith(bytes([length]) * length) for length in range(1, 33))


def page(accounts):
    def account(at):
        return {
            "account_id": f"account-{at}",
            "account_type": 2,
            "deleted_by_contact": False,
            "deleted_by_staff": False,
            "profile": {
                "name": f"客户{at}",
                "gender": at % 3,
                "avatar": f"https://avatars.example/{at}/0",
                "alias": "备注",
                "phone": 10000000000 + at,
                "add_way": 2,
                "add_at": 1624873867,
                "union_id": f"union-{at}",
                "external_user_id": f"external-{at}",
            },
            "user_attr_sys_field_list": [],
            "user_attr_field_list": [],
            "tag_info_list": [{"parent_tag_name": "等级", "tag_name": "重要"}],
        }

    accounts = [account(at) for at in range(accounts)]
    data = {"has_more": False, "mark_id": "mark-1", "account_list": accounts}
    report = {"event_type": 42016, "err_code": 0, "err_msg": "success", "robot_id": "robot-1"}
    return compact({**report, "data": data})


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text(change):
    """Rewrites the text of an envelope."""
    return lambda sealed: change(compact(sealed))


def number(sealed):
    return text(lambda it: it.replace(f'"{sealed["timestamp"]}"', sealed["timestamp"]))(sealed)


# Envelopes that open.

opens("page", page(1))
opens("page padded to 32", page(1), 32)
opens("key of 16 bytes", encoding_aes_key="0123456789abcdef")
opens("key of 24 bytes", encoding_aes_key="0123456789abcdef01234567")
opens("key of 43 characters", encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
opens(
    "key of 43 characters whose last 2 bits are 0",
    encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE",
)
opens("empty payload", "")
opens("empty payload padded to 32", "", 32)
opens("empty object", "{}")
opens("Chinese text", '{"event_type":20001,"name":"客户名称，含“引号”与表情😀"}')
opens("payload that is not JSON", "success")
opens("payload that is not UTF-8", b'{"name":"\xe5\xae\xff"}')
for block in (16, 32):
    for missing in range(1, block + 1):
        fill = "x" * (3 * 32 - missing - len('{"text":""}'))
        opens(f"{missing} bytes of padding to {block}", f'{{"text":"{fill}"}}', block)
opens("payload that ends with the padding's byte", '{"text":"ends with tabs"}' + 14 * "\t")
opens("payload that ends with the padding's byte, padded to 32", '{"text":"1234567"}\r', 32)
opens("list of 16 kB", page(45))
opens("list of 200 kB", page(465), 32)
opens("timestamp as a number", body=number)
opens("timestamp as a number with a fraction", timestamp="1763850000.0", body=number)
opens("timestamp as a number with an exponent", timestamp="1.76385e9", body=number)
opens("timestamp as a number of 20 digits", timestamp="17638500001234567890", body=number)
opens("timestamp as the number -0", timestamp="-0", body=number)
opens("timestamp that is not a number", timestamp="2025-11-22T22:20:00Z")
opens("escaped base64", page(1), body=text(lambda it: it.replace("/", "\\/")))
opens(
    "escaped letters",
    body=text(lambda it: it.replace("0", "\\u0030").replace("nonce", "\\u006eonce")),
)
opens("escaped characters outside ASCII", nonce="随机😀", body=lambda it: json.dumps(it))
opens("escaped signs", nonce='"\\/\b\f\n\r\t', body=lambda it: json.dumps(it))
opens("white space", body=lambda it: "\r\n " + json.dumps(it, indent="\t") + "\n")
opens("fields in another order", body=lambda it: json.dumps(dict(reversed(it.items()))))
more = {"timestamp": 1, "list": [1.5e3, None, True, {}, []]}
more = {"version": 2, "more": more, "text": '"timestamp":1'}
opens("further fields", body=lambda it: json.dumps({**more, **it}))
opens("empty nonce", nonce="")
opens("nonce equal to the token", nonce=TOKEN)
opens("values in the order of bytes: capitals first", app_key="alpha", token="Zeta", nonce="beta")
opens("values in the order of bytes: digits as text", app_key="10", token="9", nonce="1e1")
opens("values in the order of bytes: prefixes", app_key="aa", token="a", nonce="aaa")
opens("values in the order of bytes: outside ASCII", token="Zz", nonce="é", timestamp="9")
opens("values in the order of bytes: outside UTF-16's base plane", token="ｔｏｋｅｎ", nonce="😀")
# The signature does not tell which value belongs to which field.
opens("nonce and timestamp exchanged", nonce=TIME, timestamp=NONCE)

# Forged and damaged envelopes.

content = content_of(SMALL)
raw = base64.b64decode(content)
good = envelope(content)
signature = good["signature"]


def changed(**fields):
    return {**good, **fields}


def flipped(at, bit):
    return base64_of(raw[:at] + bytes([raw[at] ^ bit]) + raw[at:][1:])


def otherwise(digit):
    return "1" if digit == "0" else "0"


def hashed(algorithm, *values):
    return changed(signature=hashlib.new(algorithm, "".join(values).encode()).hexdigest())


refused("app_key", {
    "app key changed": changed(app_key="another0app0key"),
    "app key and nonce exchanged": changed(app_key=NONCE, nonce=APP),
    "signed for another app": envelope(content, app_key="another0app0key"),
    "signed for the app key in capitals": envelope(content, app_key=APP.upper()),
})
values = [APP, TOKEN, NONCE, TIME, content]
refused("signature", {
    "nonce changed": changed(nonce="n0nce-2"),
    "timestamp changed": changed(timestamp="1763850001"),
    "timestamp with a leading space": changed(timestamp=" 1763850000"),
    "timestamp as another number": number(changed(timestamp="1763850000.0")),
    "content's first block changed": changed(encoding_content=flipped(0, 1)),
    "content's last block changed": changed(encoding_content=flipped(len(raw) - 1, 1)),
    "content truncated": changed(encoding_content=content[:-24]),
    "content empty": changed(encoding_content=""),
    "nonce and signature exchanged": changed(nonce=signature, signature=NONCE),
    "signature's first digit changed": changed(signature=otherwise(signature[0]) + signature[1:]),
    "signature's last digit changed": changed(signature=signature[:-1] + otherwise(signature[-1])),
    "signature truncated": changed(signature=signature[:-1]),
    "signature with a digit more": changed(signature=signature + "0"),
    "signature with a line's end": changed(signature=signature + "\n"),
    "signature empty": changed(signature=""),
    "signature outside ASCII": changed(signature="é" * 16),
    "signature of unsorted values": hashed("md5", *values),
    "signature without the token": hashed("md5", *sorted([APP, NONCE, TIME, content])),
    "signature by SHA-1": hashed("sha1", *sorted(values)),
    "signed with another token": envelope(content, token="another token"),
    "signed with an empty token": envelope(content, token=""),
})
refused("undecryptable", {
    "nonce and content exchanged": changed(nonce=content, encoding_content=NONCE),
    "signed: content empty": envelope(""),
    "signed: content not base64": envelope("***"),
    "signed: content with a sign that is not base64": envelope(content[:8] + "*" + content[8:]),
    "signed: not a whole number of blocks": envelope(base64_of(raw + b"x")),
    "signed: half of the last block": envelope(base64_of(raw[:-8])),
    "signed: without the last block": envelope(base64_of(raw[:-16])),
    "signed: sealed with another key": envelope(content_of(SMALL, key=KEY[::-1])),
    "signed: sealed with a shorter key": envelope(content_of(SMALL, key=KEY[:16])),
})
# The last block becomes noise, which ends with no padding by chance.
refused("undecryptable", {
    f"signed: bit of the last block, byte {at}": envelope(flipped(len(raw) + at, 0x80))
    for at in range(-16, 0)
})
# A byte of the padding changes, its first or its last, and the block before it becomes noise.
refused("undecryptable", {
    f"signed: bit of the padding, byte {at}": envelope(flipped(len(raw) - 16 + at, 1))
    for at in (-7, -1)
})
two = b'{"event_type":20001,"text":"two blocks and more"}'.ljust(64)
refused("undecryptable", {
    f"signed: padding {name}": envelope(base64_of(encrypted(plain)))
    for name, plain in {
        "of 0": two[:-1] + b"\0",
        "of 0, a block of it": two + 16 * b"\0",
        "of 33": two[:-33] + 33 * b"\x21",
        "of 48": two[:-48] + 48 * b"\x30",
        "of 255": two[:-1] + b"\xff",
        "that differs in its first byte": two[:-5] + b"\x04\x05\x05\x05\x05",
        "that differs in its middle": two[:-5] + b"\x05\x05\x00\x05\x05",
        "of 32 that differs in its first byte": two[:-32] + b"\0" + 31 * b"\x20",
        "too short": two[:-1] + b"\x02",
        "longer than the text": 16 * b"\x11",
        "of 32 in a text of 16": 16 * b"\x20",
        "as ISO 10126": two[:-4] + b"\x93\x1c\x77\x04",
        "as ISO 7816-4": two[:-4] + b"\x80\0\0\0",
    }.items()
})

whole = json.dumps(good)
refused("malformed", {
    f"body: {name}": body
    for name, body in {
        "empty": "",
        "white space": " \r\n\t",
        "not JSON": "app_key=1&nonce=2",
        "NUL": "\0",
        "truncated": whole[:-10],
        "without its first byte": whole[1:],
        "with text behind it": whole + "x",
        "twice": whole + whole,
        "a string": json.dumps(whole),
        "a number": "1",
        "null": "null",
        "true": "true",
        "a list": f"[{whole}]",
        "an empty object": "{}",
        "an empty list": "[]",
        "with a comma at its end": whole[:-1] + ",}",
        "in single quotes": whole.replace('"', "'"),
        "with a comment": "/**/" + whole,
        "lists nested deeply": '{"more":' + 20000 * "[",
        "objects nested deeply": 2000 * '{"nonce":',
        "UTF-16": whole.encode("utf-16-le"),
        "not UTF-8": whole.encode().replace(NONCE.encode(), b"\xe5\xae"),
        "compressed": bytes.fromhex("1f8b080000000000000303000000000000000000"),
    }.items()
})
for field in FIELDS:
    types = {"null": None, "true": True, "a list": [good[field]], "an object": {"$ne": ""}}
    refused("malformed", {
        f"{field}: absent": {name: it for name, it in good.items() if name != field},
        f"{field}: in capitals": {
            name.upper() if name == field else name: it for name, it in good.items()
        },
        **{f"{field}: {name}": changed(**{field: it}) for name, it in types.items()},
    })
# Signed as it is written.
refused("malformed", {
    f"timestamp: {name}": number(envelope(content, timestamp=digits))
    for name, digits in {
        "a leading zero": "01763850000",
        "a plus sign": "+1763850000",
        "a bare point": "1763850000.",
        "a minus sign alone": "-",
        "NaN": "NaN",
        "hexadecimal": "0x69223550",
    }.items()
})
line = compact(envelope(content, nonce="two\nlines")).replace("\\n", "\n")
refused("malformed", {
    "nonce: a line's end without an escape": line,
    "nonce: an unknown escape": whole.replace(NONCE, "\\x6e"),
})
# A reader may replace it. Then the signature does not hold.
half = {"nonce: half of a surrogate pair": whole.replace(NONCE, "\\ud83d")}
refused("malformed or signature", half)

names = [case["name"] for case in cases]
assert len(names) == len(set(names)), "two cases have one name"
file = {"about": "Test vectors of the callback envelope, by generate.py", "cases": cases}
json.dump(file, sys.stdout, ensure_ascii=False, indent=1)
print()
