"""Where verdicts go: one link a file.

link   what is sent, and what a link is
jsonl  JSON lines, on standard output or in a file
"""
