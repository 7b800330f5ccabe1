"""What is known of tasks as such: a list of them, what has become of each, whose they are."""
