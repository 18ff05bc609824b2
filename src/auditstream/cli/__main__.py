"""`python -m auditstream.cli`."""

from auditstream.cli import main

main()
