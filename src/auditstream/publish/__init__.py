"""The producers' SDK: events are checked at once, kept safe, and sent in the background."""
