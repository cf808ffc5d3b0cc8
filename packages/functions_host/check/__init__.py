"""The check of an app with Microsoft's worker library: does it take the app, and run a function of each kind."""
