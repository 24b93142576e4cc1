"""What purging the Debian package removes of the temporary files of others: nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / 'packaging/debian/monitoring-plugins-tablefull.postrm'


def purge(root: Path) -> None:
    script = SCRIPT.read_text().replace('/var/', f'{root}/var/')
    done = subprocess.run(['sh', '-c', script, 'postrm', 'purge'], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


def test_only_what_checks_of_that_user_remembered_goes(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    own = f'tablefull-{os.geteuid()}'
    private = root / 'var/tmp/systemd-private-abc-agent.service-x/tmp'
    theirs = [
        root / 'var/tmp/tablefull-0.1.0',
        root / 'var/tmp/tablefull-4294967294',
        root / 'usr/src' / own,
    ]
    ours = [root / 'var/lib/tablefull', root / 'var/tmp' / own, private / own]
    for place in (*theirs, *ours):
        place.mkdir(parents=True)
        (place / 'file').write_text('')
    # Who may write there may also lead the way elsewhere.
    (root / 'var/tmp/systemd-private-evil').mkdir()
    (root / 'var/tmp/systemd-private-evil/tmp').symlink_to(root / 'usr/src')
    purge(root)
    assert all((place / 'file').exists() for place in theirs)
    assert not any(place.exists() for place in ours)


def test_removing_without_purging_keeps_everything(tmp_path: Path) -> None:
    (tmp_path / 'var/lib/tablefull').mkdir(parents=True)
    script = SCRIPT.read_text().replace('/var/', f'{tmp_path}/var/')
    assert subprocess.run(['sh', '-c', script, 'postrm', 'remove']).returncode == 0
    assert (tmp_path / 'var/lib/tablefull').is_dir()
