"""What the steps of a plan came to, and the text that is made of it."""
