"""Gates by room: blocking checks after each stage. A failed gate leaves the rooms after it with yesterday's content."""
