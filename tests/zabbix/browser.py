"""Pages of the frontend as a headless browser shows them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from tests.zabbix.daemons import FRONTEND

# Nothing but this machine can be reached, and nothing else is to be asked for.
COMMAND = (
    'chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-dev-shm-usage '
    '--disable-background-networking --disable-component-update --virtual-time-budget=15000'
).split()
RESOLVER = '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'


def browse(page: str, *options: str) -> str:
    """Log in, go to `page` of the frontend, wait until all its widgets are there. Returns what `options` print."""
    # The page's own address is asked for by the page of login, which takes the name and the password from the address.
    address = f'{FRONTEND}/index.php?name=Admin&password=zabbix&enter=Sign+in&request={quote(page, safe="")}'
    with tempfile.TemporaryDirectory(dir='/run') as profile:
        done = subprocess.run(
            [*COMMAND, RESOLVER, f'--user-data-dir={profile}', *options, address],
            check=True,
            capture_output=True,
            text=True,
            timeout=180,
            cwd='/',
        )
    return done.stdout


def screenshot(page: str, path: Path, size: str) -> str:
    """A PNG of a page in a window of `size`, such as '1280,900'. Returns the page as HTML, of the same moment or so."""
    browse(page, f'--window-size={size}', f'--screenshot={path}')
    return browse(page, f'--window-size={size}', '--dump-dom')
