"""A warning is an error in every test."""

from __future__ import annotations

import warnings

import pytest


@pytest.mark.parametrize(
    "kind", [UserWarning, DeprecationWarning, ResourceWarning, PendingDeprecationWarning]
)
def test_a_warning_fails_the_test_that_causes_it(kind: type[Warning]) -> None:
    with pytest.raises(kind, match="look here"):
        warnings.warn("look here", kind, stacklevel=1)
