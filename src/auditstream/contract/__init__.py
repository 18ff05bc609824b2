"""The vocabulary: schemas, wire format, catalogue of actions, reasons. Imports nothing of ours."""
