"""Tables that are decoded once for all tests of this folder.

Setting up the decoders of a table takes a second or more. So tests share tables,
decoded samples and streams, and do not change them; a test that needs other features
makes its own.
"""

import pytest

from data_pipelines import Stream
from data_pipelines.decoding.decode import decode
from tests.tables import forty_rows
from tests.tables import make_table


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """Forty good rows, some with empty cells, some with shared files."""
    return make_table(tmp_path_factory.mktemp("good"), *forty_rows())


@pytest.fixture(scope="session")
def good_samples(good):
    samples, _, broken = decode(*good)
    assert not broken
    return samples


@pytest.fixture(scope="session")
def good_stream(good):
    return Stream(*good)


@pytest.fixture(scope="session")
def bad(tmp_path_factory):
    """Ten rows, of which all but the first two are broken."""
    return make_table(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="session")
def bad_decoded(bad):
    """Samples, mask and list of broken rows."""
    return decode(*bad)


@pytest.fixture(scope="session")
def bad_kept(bad):
    """The same with corrupt inputs kept as absent."""
    table, features, _ = bad
    return decode(table, features, keep_corrupt=True)
