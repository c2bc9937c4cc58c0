"""Long signals to windows, and windows back to one signal."""
