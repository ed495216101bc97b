"""The rules of attribution. Standard library only: no clock, no I/O, no SQL."""
