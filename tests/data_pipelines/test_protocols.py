"""What the folders have agreed on."""

import inspect

import pytest

from data_pipelines import protocols
from data_pipelines import sources
from data_pipelines.stores.paths import Paths
from data_pipelines.stores.records import Records
from data_pipelines.stores.spans import Spans
from mbm_keras import preprocessing


def members(protocol):
    names = {*vars(protocol), *protocol.__annotations__}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("source", sources.SOURCES.values())
def test_every_source_loads(source):
    assert members(protocols.Source) == {"load"} and callable(source.load)


@pytest.mark.parametrize("store", [Paths, Records, Spans])
def test_every_store_gets_and_stamps(store):
    for name in members(protocols.Store):
        wanted = inspect.signature(getattr(protocols.Store, name)).parameters
        assert list(inspect.signature(getattr(store, name)).parameters) == list(wanted)


def test_features_follow_their_protocol():
    features = preprocessing.Features(photo=preprocessing.Pixels(8))
    assert all(hasattr(features, name) for name in members(protocols.Features))
    (preprocessor,) = features.by_key.values()
    assert all(hasattr(preprocessor, x) for x in members(protocols.Preprocessor))


@pytest.mark.parametrize("target", preprocessing.TARGETS.values())
def test_every_target_follows_its_protocol(target):
    assert all(hasattr(target, name) for name in members(protocols.Target))
