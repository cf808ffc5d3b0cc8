"""Try every hostile text in every place, and print the figures: ``python -m tests.hostile [share]``."""

from __future__ import annotations

import logging
import sys
import time

from tests.hostile.answers import try_answers, try_examples, try_types
from tests.hostile.inputs import try_inputs
from tests.hostile.tally import Tally


def main() -> int:
    """The exit code: 0 when nobody was called but those who should be, and every failure was a refusal."""
    logging.disable(logging.CRITICAL)
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    whole = Tally()
    for name, attempt in (
        ("inputs", try_inputs),
        ("answers", lambda tally: try_answers(tally, share)),
        ("types", lambda tally: try_types(tally, share)),
        ("examples", lambda tally: try_examples(tally, share)),
    ):
        tally, began = Tally(), time.process_time()
        attempt(tally)
        print(f"{name}: {tally} ({time.process_time() - began:.0f} s of CPU)", flush=True)
        for odd, count in tally.odd.most_common(40):
            print(f"  {count} x {odd}")
        whole.places |= tally.places
        whole.texts |= tally.texts
        whole.foreign |= tally.foreign
        whole.odd += tally.odd
        whole.inputs, whole.calls = whole.inputs + tally.inputs, whole.calls + tally.calls
    print(f"all: {whole}")
    return 1 if whole.foreign or whole.odd else 0


if __name__ == "__main__":
    sys.exit(main())
