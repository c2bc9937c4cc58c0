"""Whether a wheel holds every file of the packages: `python -m tests.wheel FILE`."""

import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("mbm_keras", "data_pipelines")


def main():
    """Compares a wheel with the files that are in the repository."""
    (path,) = sys.argv[1:]
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], capture_output=True, text=True, check=True,
        cwd=ROOT,
    ).stdout.split()  # fmt: skip
    names = set(zipfile.ZipFile(path).namelist())
    missing = sorted(set(listed) - names)
    more = sorted(
        name for name in names - set(listed) if name.split("/")[0] in PACKAGES
    )
    other = sorted({name.split("/")[0] for name in names} - set(PACKAGES))
    if missing or more or not all(name.endswith(".dist-info") for name in other):
        sys.exit(f"`{path}`: missing {missing}, unknown {more}, packages {other}")
    print(f"`{path}` has all {len(listed)} files")  # noqa: T201


if __name__ == "__main__":
    main()
