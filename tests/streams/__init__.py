"""Streams of endpoints, one for each provider's manner, and what each is to be read as.

Made by hand from what the providers' documentation and public reports say, with the fields that
make the difference; `index` names the source of each. The texts are of one line of a poem, so that
what is read can be told at a glance.
"""
