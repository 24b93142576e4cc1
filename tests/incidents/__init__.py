"""The incident lab: outages caused on purpose in virtual machines with Debian's own kernels."""
