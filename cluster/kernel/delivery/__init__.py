"""What is owed to whom: sequences, receipts, credit, and who may be given what again."""
