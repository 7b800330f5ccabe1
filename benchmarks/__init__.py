"""Side-by-side measurements of every claim of speed; `make bench` runs them."""
