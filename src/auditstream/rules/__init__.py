"""Detection rules: files in Sigma's outer form, compiled to expressions over events."""
