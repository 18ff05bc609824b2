"""What can go wrong with the servers under test."""

from __future__ import annotations


class StackError(Exception):
    """A server did not do as told; the message ends with the tail of its log."""


class PrerequisiteError(StackError):
    """This machine lacks what the servers need: a tool, a platform, or a way to fetch them."""
