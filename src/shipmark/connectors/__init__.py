"""What is read from forges and from git, turned into domain values."""
