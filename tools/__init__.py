"""What the project is built, documented and tried with; nothing here is installed."""
