"""The contract of every fusion that takes sequences."""

import numpy as np
import pytest

from tests.fusion.inputs import OF_SEQUENCES
from tests.fusion.inputs import SUBSETS
from tests.fusion.inputs import UNITS
from tests.fusion.inputs import new
from tests.fusion.inputs import replace_absent
from tests.fusion.inputs import sequences
from tests.fusion.inputs import shared_of_sequences
from tests.helpers import assert_same
from tests.helpers import numpy

every_fusion_of_sequences = pytest.mark.parametrize("name", OF_SEQUENCES)


@every_fusion_of_sequences
def test_content_of_padding_has_no_effect(name):
    fusion, (x, masks) = shared_of_sequences(name), sequences()
    expected = numpy(fusion(x, mask=masks))
    assert expected.shape == (4, UNITS)
    changed = [
        a if m is None else np.where(m[..., None], a, 9.0)
        for a, m in zip(x, masks, strict=True)
    ]
    assert_same(expected, fusion(changed, mask=masks))


@every_fusion_of_sequences
def test_length_of_padding_has_no_effect(name):
    fusion, (x, masks) = shared_of_sequences(name), sequences()
    longer = [np.pad(x[0], ((0, 0), (0, 2), (0, 0))), *x[1:]]
    longer_masks = [np.pad(masks[0], ((0, 0), (0, 2))), *masks[1:]]
    assert_same(fusion(x, mask=masks), fusion(longer, mask=longer_masks))


@every_fusion_of_sequences
def test_content_of_absent_sequences_has_no_effect(name):
    # Eight rows of each subset.
    x, masks = sequences(8 * len(SUBSETS))
    present = np.repeat(SUBSETS, 8, axis=0)
    fusion = shared_of_sequences(name)
    expected = numpy(fusion(x, present=present, mask=masks))
    assert np.isfinite(expected).all()
    changed = fusion(replace_absent(x, present), present=present, mask=masks)
    assert_same(expected, changed, atol=0)


@every_fusion_of_sequences
def test_output_depends_on_every_step(name):
    x, _ = sequences(1)
    steps = [(i, t) for i, a in enumerate(x) for t in range(a.shape[1])]
    steps = [(i, t) for i, t in steps if x[i].ndim == 3] + [(1, slice(None))]
    # One row without a change, and one for each step, in which it is changed.
    rows = [np.repeat(a, 1 + len(steps), axis=0) for a in x]
    for row, (i, t) in enumerate(steps, 1):
        rows[i][row, t] += 1.0
    expected, *changed = numpy(shared_of_sequences(name)(rows))
    assert len(changed) == 5 + 3 + 1
    assert (np.abs(np.stack(changed) - expected).max(axis=1) > 1e-6).all()


@every_fusion_of_sequences
def test_rejects_a_tensor_with_four_axes(name):
    with pytest.raises(ValueError, match=r"sequences \(batch, steps, width\).*2, 2, 2"):
        new(name)([np.zeros((3, 2, 2, 2)), np.zeros((3, 4))])
