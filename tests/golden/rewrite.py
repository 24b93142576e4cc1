"""Rewrite tests/golden from what the checks say now: `make golden`. Then read the diff: each line needs a reason."""

from __future__ import annotations

import os
import sys

# Before the checks are imported: `python -m` knows the project, but not where its plugins lie.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'plugins'))

from tests.golden.cases import HERE, cases, golden, json_of, runs, snapshot_of, text_of, triage_of


def main() -> None:
    """Write two files for each run, and remove those of runs that are no more."""
    wanted = {}
    for case, run in runs():
        wanted[golden(case, run, 'txt')] = text_of(case, run)
        wanted[golden(case, run, 'json')] = json_of(case, run)
    for case in cases():
        wanted[golden(case, 'snapshot', 'json')] = snapshot_of(case)
        for form in ('txt', 'json'):
            wanted[golden(case, 'triage', form)] = triage_of(case, form)
    for directory, _, files in os.walk(HERE, topdown=False):
        for name in files:
            path = os.path.join(directory, name)
            if name.endswith(('.txt', '.json')) and path not in wanted:
                os.unlink(path)
        if not os.listdir(directory):
            os.rmdir(directory)
    for path, text in wanted.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)


if __name__ == '__main__':
    main()
