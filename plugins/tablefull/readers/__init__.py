"""Readers: kernel and configuration files to facts. They know nothing of thresholds."""
