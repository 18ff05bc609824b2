"""What `auditstream demo` does once the stack is up: publish a story, count, tell."""
