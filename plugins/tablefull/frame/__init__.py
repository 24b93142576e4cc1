"""The frame over nagiosplugin: options, exit codes, perfdata, text and JSON output, timeout, state."""

# A check lives for a few hundredths of a second: collecting garbage in it costs a tenth of its time and frees nothing.
import gc

gc.disable()
