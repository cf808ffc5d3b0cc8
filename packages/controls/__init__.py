"""What a driver controls of a local program: its clock, and the fate of each call."""
