"""The web studio: pages on run folders, and `gan` processes. The server reads files; it imports no torch and trains nothing."""
