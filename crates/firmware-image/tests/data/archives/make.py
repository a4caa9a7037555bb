#!/usr/bin/env python3
"""Makes the two tiny images that the archives here hold; see README.md."""
import struct, zlib

def jamcrc(data):
    return zlib.crc32(data) ^ 0xFFFFFFFF

def image(kind, product, version, body, signature):
    psb = bytes(256)
    return (psb + struct.pack(">II4s4s4sII", jamcrc(psb), 3, b"GOOD", kind, product, len(body), jamcrc(body))
            + version.ljust(84, b"\0") + b"01/02/18" + struct.pack(">IB3xIIII", 1, 0, 0, 0, 0, signature) + body)

appl = image(b"APPL", b"9X50", b"INTERNAL_?_SWI9X50C_01.14.02.00_?_?_?_?", bytes(range(256)) * 8, 1)
cwe = image(b"SPKG", b"9X50", b"INTERNAL_?_SWI9X50C_01.14.02.00_?_?_?_?", appl, 1)
nvup = image(b"NVUP", b"9x50", b"9999999_9907259_SWI9X50C_01.14.02.00_00_GENERIC_002.035_000", b"\1\0\0\0\0\0\0\0\0\0", 1)
nvu = image(b"SPKG", b"9X50", b"9999999_9907259_SWI9X50C_01.14.02.00_00_GENERIC_002.035_000",
            image(b"FILE", b"9X50", b"", image(b"FILE", b"9X50", b"/swir/nvdelta/NVUP_GENERIC.035", nvup, 1), 1), 1)
open("SWI9X50C_01.14.02.00.cwe", "wb").write(cwe)
open("SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu", "wb").write(nvu)
open("readme.txt", "wb").write(b"Release notes\r\n")
