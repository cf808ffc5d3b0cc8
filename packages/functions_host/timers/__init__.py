"""The timer trigger: NCRONTAB, schedules, listeners, and the lease that keeps them single."""
