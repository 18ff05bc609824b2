"""Where messages go: the console, services of Apprise, signed webhooks."""
