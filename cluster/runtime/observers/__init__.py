"""What is observed of turns and tasks without a part in them."""
