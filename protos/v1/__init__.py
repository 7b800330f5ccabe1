"""Version 1 of the language: protobuf definitions and the code generated from them."""
