"""Every validation case holds: numbers from geometry, definitions, BoneJ, Fiji, scikit-image and SciPy."""

from __future__ import annotations

import pytest

from tests.morphometry.cases import cases, value_of

_SLOW = ("T-cyl", "T-real-LHDL", "T-real-bentheimer", "E12", "C06", "C08", "C11", "L01", "L02")


def parameter(case):
    slow = [pytest.mark.slow] if case.id.startswith(_SLOW) else []
    return pytest.param(case, id=case.id, marks=slow)


@pytest.mark.parametrize("case", [parameter(case) for case in cases()])
def test_case(case):
    assert abs(value_of(case) - case.expected) <= case.allowed
