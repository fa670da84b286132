"""Receipts in a file that `keyward receipt export` wrote."""
import json


def receipts_in(path):
    """Their bytes, as base64."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {r["encoded"] for r in records if r.get("type", "").endswith("_RECEIPT")}
