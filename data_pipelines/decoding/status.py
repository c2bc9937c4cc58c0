"""The status of a value after decoding, written once for training and serving.

This module imports nothing, so that preprocessors, which know no pipeline, can use it.
"""

OK, ABSENT, CORRUPT = range(3)
STATUS = ("ok", "absent", "corrupt")  # the word for each, by index
