"""Pure, synchronous decisions and vocabulary; the standard library only."""
