"""Documents that merge: plain values, ways of merging, edits, and the fold of their log. Pure."""
