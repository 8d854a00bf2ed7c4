"""What is wrong with a profile: which file and line, which key, why, and what to do."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from streamlcn.profile._schema import Place, choice_of, keys_of, place_of, settled
from streamlcn.profile._source import Source, whose

__all__ = ["did_you_mean", "explain"]


def explain(error: ValidationError, sources: Sequence[Source], file: Source) -> str:
    """Return one line for each key that is wrong.

    ``sources`` begin with the one that stands above the others; ``file`` is the profile's own.
    """
    problems = error.errors(include_url=False)
    reasons: dict[tuple[str, ...], tuple[Place, list[str]]] = {}
    for problem in problems:
        if problem["type"] == "too_short" and any(_is_below(problem, other) for other in problems):
            continue  # pydantic does not count the items that are wrong
        place = place_of(problem["loc"])
        keys, text = _reason(place, problem)
        texts = reasons.setdefault(keys, (place, []))[1]
        if text not in texts:
            texts.append(text)
    return "\n".join(
        f"{_where(keys, sources, file)}: {'.'.join(keys)}: {' or '.join(texts)}{_meaning(place)}"
        for keys, (place, texts) in reasons.items()
    )


def _is_below(problem: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    above, below = tuple(problem["loc"]), tuple(other["loc"])
    return len(below) > len(above) and below[: len(above)] == above


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like this one, or all of them, as the end of a message."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known) or 'none'}"


def _where(keys: tuple[str, ...], sources: Sequence[Source], file: Source) -> str:
    """Return what says the key; of a key that nobody says, what says the section above."""
    for length in range(len(keys), 0, -1):
        source = whose(keys[:length], sources)
        if source:
            return source.place(keys[:length])
    return file.name


def _reason(place: Place, problem: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    keys, kind, given = place.keys, str(problem["type"]), problem["input"]
    choice = choice_of(place.node) if place.node else None
    if kind == "extra_forbidden":
        among = f" with {place.tag}" if place.tag else ""
        return keys, f"unknown key{among}; {did_you_mean(keys[-1], keys_of(place.section))}"
    if kind == "missing":
        return keys, "this key is needed"
    if choice and kind == "union_tag_not_found":
        return (*keys, choice[0]), f"this key is needed, to say which of {', '.join(choice[1])}"
    if choice and kind == "union_tag_invalid":
        tag = str(problem["ctx"]["tag"])
        return (*keys, choice[0]), f"'{tag}' is not known; {did_you_mean(tag, choice[1])}"
    known = list(choice[1]) if choice else list(keys_of(place.node or {}))
    if known and not isinstance(given, dict):
        first = given if given in known else known[0]
        example = f"{choice[0]}: {first}" if choice else f"{first}: ..."
        return keys, f"{_short(given)} is a value, this is a section; write {{{example}}}"
    if kind == "literal_error":
        words = [str(word) for word in settled(place.node or {}).get("enum", ())]
        return keys, f"{_short(given)} is not known; {did_you_mean(str(given), words)}"
    text = re.sub(r"^(Value error, |\w+ (?=should))", "", str(problem["msg"]))
    return keys, text if isinstance(given, dict) else f"{text}, not {_short(given)}"


def _short(value: Any) -> str:
    return reprlib.repr(value)


def _meaning(place: Place) -> str:
    """Return what the key is for, when there is one."""
    text = str((place.node or {}).get("description", "")).partition("\n")[0].rstrip(".")
    return f" ({text})" if text else ""
