"""Resource providers: one module for each group of resource types."""
