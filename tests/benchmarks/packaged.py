"""What a check of the Debian package costs, beside the checkout's and beside other plugins: `make bench-packages`.

All in one run on one clean Debian system, interleaved; the figure is the median of the ratios to `python3 -c pass`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tests.packages.conftest import ROOT, only
from tests.packages.roots import debian

ROUNDS = 61
PLUGINS = '/usr/lib/nagios/plugins'

_IGNORED = shutil.ignore_patterns('*.egg-info', '__pycache__')

# What the web recommends: two files read by cat, the arithmetic by awk, the parts cut out again.
BASH = """\
#!/bin/bash
count=$(cat /proc/sys/net/netfilter/nf_conntrack_count)
max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
percent=$(echo "$count $max" | awk '{ printf "%.2f", $1 * 100 / $2 }')
whole=$(echo "$percent" | cut -d. -f1)
if [ "$whole" -ge "${2:-90}" ]; then echo "CRITICAL - $percent% | usage=$percent%"; exit 2; fi
if [ "$whole" -ge "${1:-80}" ]; then echo "WARNING - $percent% | usage=$percent%"; exit 1; fi
echo "OK - $count of $max ($percent%) | usage=$percent%"
"""

COMMANDS = {
    'python3 -c pass': ['/usr/bin/python3', '-c', 'pass'],
    'check_conntrack, package': [f'{PLUGINS}/check_conntrack'],
    'check_conntrack, checkout': ['/usr/bin/python3', '/src/plugins/check_conntrack.py'],
    'check_conntrack, checkout never compiled': ['/usr/bin/python3', '/bare/plugins/check_conntrack.py'],
    'check_neighbour, package': [f'{PLUGINS}/check_neighbour'],
    'check_conntrack_modules, package': [f'{PLUGINS}/check_conntrack_modules'],
    'tablefull snapshot, package': ['/usr/bin/tablefull', 'snapshot'],
    'check_load (C)': [f'{PLUGINS}/check_load', '-w', '90', '-c', '99'],
    'check_uptime (Perl, monitoring-plugins-contrib)': [f'{PLUGINS}/check_uptime', '-w', '1', '-c', '1'],
    'usage in bash, as found on the web': ['/usr/local/bin/check_usage'],
}

# Runs in there; prints name -> [median ratio, median milliseconds].
MEASURE = """
import json, os, resource, statistics, subprocess, sys
commands, rounds = json.loads(sys.argv[1]), int(sys.argv[2])
def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # As daemons run it: root would also read the kernel log.
    done = subprocess.run(command, stdout=subprocess.PIPE, user='daemon', group='daemon', extra_groups=[], cwd='/')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout or command[-1] == 'pass', command
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
for command in commands.values():
    cpu(command), cpu(command)
nothing = next(iter(commands.values()))
ratios = {name: [] for name in commands}
spent = {name: [] for name in commands}
for _ in range(rounds):
    for name, command in commands.items():
        empty, full = cpu(nothing), cpu(command)
        ratios[name].append(full / empty)
        spent[name].append(full)
print(json.dumps({name: [statistics.median(ratios[name]), 1000 * statistics.median(spent[name])] for name in commands}))
"""


def main() -> None:
    """Print a line per command."""
    with tempfile.TemporaryDirectory(prefix='tablefull-') as directory:
        system = debian('bookworm', Path(directory) / 'root')
        system.install('monitoring-plugins-basic', 'monitoring-plugins-contrib')
        system.install(system.put(only('*.deb')))
        for place in ('src', 'bare'):
            shutil.copytree(ROOT / 'plugins', system.path / place / 'plugins', ignore=_IGNORED)
        # The other one stays as it is: an ordinary user may not write byte code there.
        system.run('python3', '-m', 'compileall', '-q', '/src')
        script = system.path / 'usr/local/bin/check_usage'
        script.write_text(BASH)
        script.chmod(0o755)
        done = system.run('python3', '-c', MEASURE, json.dumps(COMMANDS), str(ROUNDS))
    found = json.loads(done.stdout)
    print(f'{"command":50} {"x pass":>7} {"ms cpu":>7}')
    for name, (ratio, milliseconds) in found.items():
        print(f'{name:50} {ratio:7.2f} {milliseconds:7.1f}')


if __name__ == '__main__':
    main()
