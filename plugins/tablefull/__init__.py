"""tablefull: catch Linux network tables filling up, and the firewall mistakes behind it."""

__version__ = '0.1.0'
