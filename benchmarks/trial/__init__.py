"""`make trial`: questions about the standard library's asyncio package, asked of a real model.

`questions.toml` holds what is asked and what is expected, `grading` the rule, `product` the runs,
`__main__` the command and its table.
"""
