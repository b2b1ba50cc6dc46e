"""Data sets: every file directly in this folder is one."""
