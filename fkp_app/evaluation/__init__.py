"""How good networks are on labelled frames: errors, protocols, tables and pictures."""
