"""The frame over nagiosplugin: options, exit codes, perfdata, text and JSON output, timeout, state."""
