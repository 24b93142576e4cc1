"""Findings: the rules that turn facts into findings. They know nothing of output."""
