"""What people look at: console, grids, curves. The only room that imports rich or matplotlib."""
