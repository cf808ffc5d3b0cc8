import pytest

from local.demo.durations import between, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_between() -> None:
    assert between("2026-01-01T00:00:00.500Z", "2026-01-01T00:01:00Z") == 59.5
