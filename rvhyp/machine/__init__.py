"""The board: what harts are plugged into."""
