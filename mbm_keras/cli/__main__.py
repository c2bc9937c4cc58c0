"""`python -m mbm_keras.cli` is `mbm`."""

from mbm_keras.cli import main

main()
