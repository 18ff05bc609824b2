"""Alerts on their topic and on a console, and the plain use of topics that commands need."""
