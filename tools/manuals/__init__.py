"""`make manuals`: manual pages and shell completion, written from what each program prints as its --help."""
