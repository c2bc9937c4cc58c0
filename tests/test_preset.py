"""Presets, and options of builders as plain data."""

import pytest

from mbm_keras.models.mvae import Elbo
from mbm_keras.models.perceiver_io import Latents
from mbm_keras.preset import options_from


def test_options_are_an_object_or_its_fields_or_the_defaults():
    assert options_from(Latents, None) == Latents()
    assert options_from(Latents, {"num_latents": 4}) == Latents(num_latents=4)
    elbo = Elbo(weight=0.5)
    assert options_from(Elbo, elbo) is elbo


def test_an_unknown_field_is_an_error():
    with pytest.raises(ValueError, match="fields of Elbo: weight, beta, .*Rec.*'bet'"):
        options_from(Elbo, {"bet": 1.0})
