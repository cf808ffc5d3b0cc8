"""Microsoft.MachineLearningServices: workspaces, computes, jobs, schedules and endpoints."""
