"""Checksums: telling whether data changed.

A CRC-32 checksum detects accidental changes of data, such as a bit flipped during a transfer. It is
fast and 32 bits long. It gives no protection against somebody who changes data on purpose: for that
use a cryptographic hash such as SHA-256.

zlib.crc32(data) returns the CRC-32 of bytes as an unsigned integer. Long data can be fed piece by
piece: pass the checksum so far as the second argument, and the result is the same as for all of it
at once.
"""

import hashlib
import zlib

message = b"hello world"

whole = zlib.crc32(message)
print(f"{whole:08x}")  # -> 0d4a1185

piecewise = zlib.crc32(b"world", zlib.crc32(b"hello "))
print(piecewise == whole)  # -> True

# One changed letter gives a different checksum.
print(zlib.crc32(b"hallo world") == whole)  # -> False

print(hashlib.sha256(message).hexdigest()[:16])  # -> b94d27b9934d3e08
