"""Translating hot guest code: a region of blocks within a page becomes one native function that stands among the page's uops."""
