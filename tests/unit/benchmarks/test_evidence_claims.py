"""The score of a sentence is trained the same way every time, from claims and their evidence."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.evidence_claims import NOT_SUPPORTED, SUPPORTED, read_claims, trained
from benchmarks.train_evidence import weights_text

EVIDENCE = [["The bridge was built in Bonn by the sisters Meier.", "It carries trams and lorries."]]
CLAIMS = {
    "The sisters Meier built the bridge in Bonn.": SUPPORTED,
    "Trams and lorries are carried by the bridge.": SUPPORTED,
    "Whales sing at dawn in warm water.": NOT_SUPPORTED,
    "The bridge is painted green every other spring.": NOT_SUPPORTED,
}


def written(folder: Path) -> Path:
    rows = [
        {"id": text, "label": label, "claim": text, "evidence": EVIDENCE}
        for text, label in CLAIMS.items()
    ]
    path = folder / "claims.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_supported_claims_score_higher_than_others(tmp_path: Path) -> None:
    claims = read_claims(written(tmp_path))
    weights = trained(claims)
    scores = {claim.text: weights.score(claim.features()) for claim in claims}

    true = [score for text, score in scores.items() if CLAIMS[text] == SUPPORTED]
    false = [score for text, score in scores.items() if CLAIMS[text] == NOT_SUPPORTED]
    assert min(true) > max(false)


def test_the_same_claims_give_the_same_file(tmp_path: Path) -> None:
    path = written(tmp_path)

    texts = {weights_text(trained(read_claims(path)), len(CLAIMS)) for _ in range(2)}

    assert len(texts) == 1
