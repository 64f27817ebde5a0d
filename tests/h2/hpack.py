"""HPACK (RFC 7541), both directions, for tests: an encoder that can also say things no honest encoder says,
and a decoder good enough to read any server's answers.

The Huffman code of Appendix B is canonical, so its lengths are the whole table: within a length codes count up
in symbol order, and from one length to the next they shift left. `hpack_test()` at the end proves the result
against the examples of Appendix C.
"""

# RFC 7541 Appendix A, in order; index 1 is the first.
STATIC = [tuple(line.split("|")) for line in """\
:authority|
:method|GET
:method|POST
:path|/
:path|/index.html
:scheme|http
:scheme|https
:status|200
:status|204
:status|206
:status|304
:status|400
:status|404
:status|500
accept-charset|
accept-encoding|gzip, deflate
accept-language|
accept-ranges|
accept|
access-control-allow-origin|
age|
allow|
authorization|
cache-control|
content-disposition|
content-encoding|
content-language|
content-length|
content-location|
content-range|
content-type|
cookie|
date|
etag|
expect|
expires|
from|
host|
if-match|
if-modified-since|
if-none-match|
if-range|
if-unmodified-since|
last-modified|
link|
location|
max-forwards|
proxy-authenticate|
proxy-authorization|
range|
referer|
refresh|
retry-after|
server|
set-cookie|
strict-transport-security|
transfer-encoding|
user-agent|
vary|
via|
www-authenticate|""".splitlines()]

# Appendix B: code length in bits -> the symbols of that length. All others of 0..255 have 28 bits, EOS has 30.
LENGTHS = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b"!\"()?",
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: bytes([128, 130, 131, 162, 184, 194, 224, 226]),
    21: bytes([153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]),
    22: bytes([129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189,
               190, 196, 198, 228, 232, 233]),
    23: bytes([1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174,
               175, 180, 182, 183, 188, 191, 197, 231, 239]),
    24: bytes([9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]),
    25: bytes([199, 207, 234, 235]),
    26: bytes([192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]),
    27: bytes([203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]),
    30: bytes([10, 13, 22]),
}
EOS = 256


def _huffman_codes():
    length_of = [28] * 256 + [30]
    for length, symbols in LENGTHS.items():
        for symbol in symbols:
            length_of[symbol] = length
    codes, code, last = {}, 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(length_of)):
        code <<= length - last
        codes[symbol] = (code, length)
        code, last = code + 1, length
    return codes


CODES = _huffman_codes()
SYMBOLS = {(length, code): symbol for symbol, (code, length) in CODES.items()}


class DecodeError(Exception):
    pass


def huffman_encode(text):
    bits = length = 0
    for octet in text:
        code, n = CODES[octet]
        bits, length = bits << n | code, length + n
    pad = -length % 8
    return (bits << pad | (1 << pad) - 1).to_bytes((length + pad) // 8, "big")


def huffman_decode(data):
    out, code, length = bytearray(), 0, 0
    for octet in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | octet >> shift & 1, length + 1
            symbol = SYMBOLS.get((length, code))
            if symbol is not None:
                if symbol == EOS:
                    raise DecodeError("EOS in a string")
                out.append(symbol)
                code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise DecodeError("bad padding")
    return bytes(out)


def integer(value, prefix_bits, first=0):
    """RFC 7541 5.1; first holds the bits above the prefix."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text, huffman=False):
    data = huffman_encode(text) if huffman else text
    return integer(len(data), 7, 0x80 if huffman else 0) + data


def indexed(index):
    return integer(index, 7, 0x80)


INDEXED, PLAIN, NEVER = (6, 0x40), (4, 0x00), (4, 0x10)  # prefix bits and pattern of the three literal forms


def literal(name, value, form=PLAIN, huffman=False):
    """name is bytes, or the index of one."""
    bits, pattern = form
    if isinstance(name, int):
        return integer(name, bits, pattern) + string(value, huffman)
    return bytes([pattern]) + string(name, huffman) + string(value, huffman)


def size_update(size):
    return integer(size, 5, 0x20)


class Table:
    """The dynamic table of one direction (RFC 7541 2.3.2, 4)."""

    def __init__(self, size=4096):
        self.limit, self.used, self.rows = size, 0, []

    def resize(self, limit):
        self.limit = limit
        self._evict()

    def _evict(self):
        while self.used > self.limit:
            name, value = self.rows.pop()
            self.used -= len(name) + len(value) + 32

    def add(self, name, value):
        self.rows.insert(0, (name, value))
        self.used += len(name) + len(value) + 32
        self._evict()

    def get(self, index):
        if 1 <= index <= len(STATIC):
            return tuple(part.encode() for part in STATIC[index - 1])
        if len(STATIC) < index <= len(STATIC) + len(self.rows):
            return self.rows[index - len(STATIC) - 1]
        raise DecodeError(f"index {index}")

    def find(self, name, value):
        """Index of the pair or 0, index of the name or 0."""
        by_name = 0
        for index in range(1, len(STATIC) + len(self.rows) + 1):
            row = self.get(index)
            if row == (name, value):
                return index, index
            if row[0] == name and not by_name:
                by_name = index
        return 0, by_name


class Encoder:
    def __init__(self):
        self.table = Table()

    def encode(self, fields):
        """fields: (name, value) pairs of str or bytes. Indexes what it can, so the server's table is exercised."""
        out = b""
        for name, value in fields:
            name, value = (part if isinstance(part, bytes) else part.encode() for part in (name, value))
            pair, by_name = self.table.find(name, value)
            if pair:
                out += indexed(pair)
                continue
            out += literal(by_name or name, value, INDEXED, huffman=len(value) > 3)
            self.table.add(name, value)
        return out


class Decoder:
    def __init__(self):
        self.table = Table()

    def decode(self, block):
        """The list of (name, value) byte pairs."""
        fields, at = [], 0
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = self._integer(block, at, 7)
                fields.append(self.table.get(index))
            elif first & 0xe0 == 0x20:
                size, at = self._integer(block, at, 5)
                self.table.resize(size)
            else:
                name, at = self._integer(block, at, 6 if first & 0x40 else 4)
                if name:
                    name = self.table.get(name)[0]
                else:
                    name, at = self._string(block, at)
                value, at = self._string(block, at)
                fields.append((name, value))
                if first & 0x40:
                    self.table.add(name, value)
        return fields

    @staticmethod
    def _integer(block, at, bits):
        limit = (1 << bits) - 1
        value, at, shift = block[at] & limit, at + 1, 0
        if value < limit:
            return value, at
        while True:
            if at >= len(block) or shift > 28:
                raise DecodeError("integer")
            value += (block[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if not block[at - 1] & 128:
                return value, at

    def _string(self, block, at):
        if at >= len(block):
            raise DecodeError("string")
        huffman = block[at] & 0x80
        length, at = self._integer(block, at, 7)
        if at + length > len(block):
            raise DecodeError("string")
        data = block[at:at + length]
        return (huffman_decode(data) if huffman else data), at + length


def hpack_test():
    """RFC 7541 C.4.1 to C.4.3: Huffman, static and dynamic indices; then every octet there and back."""
    decoder, encoder = Decoder(), Encoder()
    common = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]
    for block, fields in (
            ("828684418cf1e3c2e5f23a6ba0ab90f4ff", common),
            ("828684be5886a8eb10649cbf", common + [("cache-control", "no-cache")]),
            ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
             [common[0], (":scheme", "https"), (":path", "/index.html"), common[3], ("custom-key", "custom-value")])):
        want = [(name.encode(), value.encode()) for name, value in fields]
        assert decoder.decode(bytes.fromhex(block)) == want, block
        if "custom-key" not in dict(fields):
            assert encoder.encode(fields).hex() == block, encoder.encode(fields).hex()
    assert sum(2 ** (30 - length) for _, length in CODES.values()) == 2 ** 30  # a complete prefix code
    every = bytes(range(256))
    assert huffman_decode(huffman_encode(every)) == every


if __name__ == "__main__":
    hpack_test()
    print("hpack: ok")
