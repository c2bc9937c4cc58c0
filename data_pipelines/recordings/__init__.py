"""Long signals in windows, and windows back to one signal."""
