"""The text of files that are more than text: PDF, Word, EPUB, notebooks, mail."""
