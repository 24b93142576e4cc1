"""Looks: each acquires what one check judges, and judges it. Used by the check, which adds thresholds, and beyond."""
