"""Where verdicts go: one link a file.

jsonl  JSON lines, on standard output or in a file
"""
