"""Rules: what a hart does around its instructions: access, translation, traps, interrupts.  Importing it registers every rule."""
