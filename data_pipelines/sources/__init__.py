"""Sources. One import per source, and the import is the registration.

Every source file has a public `load(...)`: it returns `{split: tf.data.Dataset}` of
`({name: raw scalar}, {name: target})`. Raw means a UTF-8 string, the encoded bytes
of an image or a sound, a float or a category string; absent is `b""`, or NaN for a
number.
"""

from types import ModuleType

from data_pipelines.sources import keypad
from data_pipelines.sources import table
from data_pipelines.sources import tfds

SOURCES = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}
