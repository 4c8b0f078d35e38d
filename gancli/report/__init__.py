"""Terminal output, tables and figures. The only room that imports rich or matplotlib."""
