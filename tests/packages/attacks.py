"""What a monitoring user might try with the sudoers file of the package, on the package's own paths.

tests/integration/test_sudoers.py tries the same of an installation in a virtual environment. Here the programs are
others: launchers in the plugin directory, and modules where a distribution has them.
"""

from __future__ import annotations

PLUGINS = '/usr/lib/nagios/plugins'
LOG = f'{PLUGINS}/check_kernel_log'
FERM = f'{PLUGINS}/check_ferm'
# Where the attacker can write: code that each Python would import that looks in there, and a directory to work in.
HOSTILE = '/var/tmp/hostile'

EVIL = """
import os
os.write(1, b'EVIL %d' % os.geteuid())
os._exit(0)
"""
MODULES = (
    'nagiosplugin psutil tablefull check_kernel_log check_ferm argparse json signal gc os sitecustomize usercustomize'
).split()

# Refused by sudo, whatever the arguments would have done.
REFUSED: tuple[tuple[str, ...], ...] = (
    (LOG, '--file', '/etc/shadow'),
    (LOG, '--file=/etc/shadow'),
    (LOG, '-vvv'),
    (LOG, '--root', HOSTILE),
    (LOG, '--state-dir', HOSTILE),
    (LOG, '--state-dir=/etc/cron.d'),
    (LOG, ''),
    (FERM,),
    (FERM, '--verify-rules', '--root', HOSTILE),
    (FERM, '--verify-rules', '--state-dir', '/etc'),
    (FERM, '--verify-rules', '--verify-rules'),
    (FERM, '--verify'),
    (f'{PLUGINS}/check_conntrack',),
    (f'{PLUGINS}/check_by_sudo', LOG),
    ('/usr/bin/tablefull', 'templates', '--write', '/etc/x'),
    ('/usr/bin/tablefull', 'explain'),
    ('/usr/bin/python3', LOG),
    ('/usr/bin/python3', '-IS', LOG),
    ('/usr/share/monitoring-plugins-tablefull/state-directories',),
    ('/usr/share/monitoring-plugins-tablefull/check_kernel_log.py',),
    (f'{HOSTILE}/check_kernel_log.py',),
    (f'{HOSTILE}/copy',),
    (f'{HOSTILE}/link',),
    ('./link',),
    (f'{HOSTILE}/bin/check_ferm',),
    ('-i', LOG),
    ('-s', LOG),
    ('-D', '/etc', LOG),
    ('-R', HOSTILE, LOG),
    ('-T', '1', LOG),
    ('-E', LOG),
    ('-g', 'shadow', LOG),
    ('-u', 'daemon', LOG),
    ('PYTHONPATH=' + HOSTILE, LOG),
    ('LD_PRELOAD=' + HOSTILE + '/x.so', LOG),
    ('-e', '/etc/shadow'),
    ('-l', '-U', 'root'),
)

# Other names of the very file that is allowed: what runs is the path of the sudoers file, not that of the attacker.
SAME: tuple[str, ...] = (
    f'{PLUGINS}/../plugins/check_kernel_log',
    f'{HOSTILE}/bin/check_kernel_log',
    '../../../usr/lib/nagios/plugins/check_kernel_log',
    'bin/check_kernel_log',
)

# Nothing of it reaches the check, or the check does not look at it.
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {'PYTHONPATH': HOSTILE},
    {'PYTHONHOME': HOSTILE},
    {'PYTHONSTARTUP': f'{HOSTILE}/json.py', 'PYTHONINSPECT': '1'},
    {'PYTHONUSERBASE': HOSTILE},
    {'PYTHONPYCACHEPREFIX': HOSTILE},
    {'PYTHONPLATLIBDIR': HOSTILE},
    {'PYTHONWARNINGS': 'error', 'PYTHONBREAKPOINT': 'json.main', 'PYTHONDEVMODE': '1'},
    {'HOME': HOSTILE, 'XDG_CONFIG_HOME': HOSTILE},
    {'PATH': f'{HOSTILE}:/usr/bin:/bin'},
    {'NAGIOS_PLUGIN_STATE_DIRECTORY': HOSTILE},
    {'TMPDIR': HOSTILE, 'LC_ALL': '../../../var/tmp/hostile', 'LOCPATH': HOSTILE, 'NLSPATH': HOSTILE},
    {'LD_PRELOAD': f'{HOSTILE}/x.so', 'LD_LIBRARY_PATH': HOSTILE},
    {'BASH_ENV': f'{HOSTILE}/json.py', 'ENV': f'{HOSTILE}/json.py', 'SHELLOPTS': 'xtrace', 'PS4': '$(id)'},
)
