"""`python -m benchmarks.train_evidence`: trains the score of sentences, writes its weights.

From WiCE's dev set, supported against not supported; the same data give the same file. `--check`
writes nothing and says by its exit status whether the committed file is what it would write.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from agents.evidence.features import NAMES
from agents.evidence.verdict import Weights
from benchmarks.evidence_claims import L2, LOST_SHARE, PARTIAL, WICE, read_claims, trained

WEIGHTS = Path(__file__).resolve().parents[1] / "agents" / "evidence" / "weights.json"


def weights_text(weights: Weights, count: int) -> str:
    """Return the file's text; ``count`` is the number of claims trained on."""
    values = {
        "bias": weights.bias,
        "features": NAMES,
        "means": weights.means,
        "scales": weights.scales,
        "threshold": weights.threshold,
        "trained_on": (
            f"{count} claims of WiCE's dev set, supported and not supported; L2 {L2:g}; threshold "
            f"at the {LOST_SHARE} quantile of the supported"
        ),
        "weights": weights.weights,
    }
    return json.dumps(values, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """Write the weights, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, default=WICE, help="a file of WiCE's format")
    parser.add_argument("--check", action="store_true", help="only compare with the file")
    arguments = parser.parse_args()
    if not arguments.claims.exists():
        print(f"There is no {arguments.claims}.", file=sys.stderr)
        return 2
    claims = [claim for claim in read_claims(arguments.claims) if claim.label != PARTIAL]
    text = weights_text(trained(claims), len(claims))
    if arguments.check:
        is_same = WEIGHTS.exists() and WEIGHTS.read_text(encoding="utf-8") == text
        print(f"{WEIGHTS.name} is {'' if is_same else 'NOT '}what the claims give.")
        return 0 if is_same else 1
    WEIGHTS.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
