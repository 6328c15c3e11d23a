"""Keys and payloads that the tests share."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import qopen

APP_KEY = "app key"
TOKEN = "callback token"
AES_KEY = "0123456789abcdef"
VECTORS = Path(__file__).parents[2] / "qopen-callback" / "vectors" / "envelopes.json"


@dataclass(frozen=True)
class Case:
    """A published vector."""

    name: str
    app_key: str
    token: str
    encoding_aes_key: str
    body: bytes
    payload: Optional[bytes]
    payload_sha256: Optional[str]
    padded_to: Optional[int]
    refused: Tuple[str, ...]

    def keys(self) -> qopen.Keyring:
        return qopen.Keyring(self.app_key, self.token, self.encoding_aes_key)


def cases() -> List[Case]:
    """Every vector. The counts fail if a change of the file loses some."""
    read = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    all_cases = [case_of(it) for it in read]
    refused = [it for it in all_cases if it.refused]
    assert (len(all_cases), len(refused)) == (212, 127)
    return all_cases


def case_of(read: Dict[str, Any]) -> Case:
    body = read["body"].encode() if "body" in read else base64.b64decode(read["body_base64"])
    payload = read["payload"].encode() if "payload" in read else None
    case = Case(
        name=read["name"],
        app_key=read["app_key"],
        token=read["token"],
        encoding_aes_key=read["encoding_aes_key"],
        body=body,
        payload=payload,
        payload_sha256=read.get("payload_sha256"),
        padded_to=read.get("padded_to"),
        refused=tuple(read.get("refused", ())),
    )
    results = [case.payload is not None, case.payload_sha256 is not None, bool(case.refused)]
    assert results.count(True) == 1, case.name
    return case


def payload_of(
    accounts: Sequence[Tuple[object, str]],
    has_more: Optional[bool] = True,
    robot: str = "r",
    mark: str = "m",
) -> bytes:
    """A page as the platform sends it. A content is the customer's name."""
    data: Dict[str, object] = {"mark_id": mark}
    if has_more is not None:
        data["has_more"] = has_more
    data["account_list"] = [{"account_id": it, "profile": {"name": name}} for it, name in accounts]
    callback = {"event_type": 42016, "err_code": 0, "robot_id": robot, "data": data}
    return json.dumps(callback, ensure_ascii=False).encode()
