"""What runs only on a developer's machine or in CI; never deployed."""
