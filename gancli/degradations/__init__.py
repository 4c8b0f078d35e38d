"""What restorations undo: noise and the like, one a file."""
