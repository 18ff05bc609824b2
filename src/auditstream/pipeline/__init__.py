"""From records to rows: decode, validate, deduplicate, enrich, detect; one step a file."""
