"""Rules of RFC 9113 that an ordinary client leans on, and RFC 7541: what has to be accepted, and what a header
block may not say. Ids are those of the h2spec suite (generic, hpack), so that two reports can be laid side by side.
"""
import expect
import hpack
from frames import (COMPRESSION_ERROR, ENABLE_PUSH, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PREFACE, continuation, data, goaway, headers, ping,
                    priority, rst_stream, settings, window_update)

PONG = b"rfc9113\0"


def get(c, **how):
    return headers(1, c.request(), end=True, **how)


def post(c, *extra):
    """An open request: the body is to come."""
    return headers(1, c.request(method="POST", extra=extra))


def pieces(block, *sizes):
    """A header block cut after the given counts of bytes into HEADERS and CONTINUATION frames."""
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]
    parts.append(block)
    last = len(parts) - 1
    return b"".join([headers(1, parts[0], end=True, end_headers=False)] +
                    [continuation(1, part, end_headers=at == last) for at, part in enumerate(parts) if at])


def window_zero(c):
    """With no room for the body the stream stays half-closed (remote)."""
    return settings([(INITIAL_WINDOW_SIZE, 0)]) + get(c)


GENERIC = [
    ("generic/1/1", "9113 3.4", "the server's preface is a SETTINGS frame",
     "no handshake", lambda c: PREFACE + settings([(INITIAL_WINDOW_SIZE, 65535)]), expect.preface),

    ("generic/2/1", "9113 5.1 idle", "PRIORITY is accepted", lambda c: priority(1) + ping(), expect.pong()),
    ("generic/2/2", "9113 5.1 half-closed (remote)", "WINDOW_UPDATE is accepted",
     lambda c: window_zero(c) + window_update(1, 1), expect.data()),
    ("generic/2/3", "9113 5.1 half-closed (remote)", "PRIORITY is accepted",
     lambda c: window_zero(c) + priority(1) + window_update(1, 1), expect.data()),
    ("generic/2/4", "9113 5.1 half-closed (remote)", "RST_STREAM is accepted",
     lambda c: get(c) + rst_stream(1) + ping(), expect.pong(or_close=True)),
    ("generic/2/5", "9113 5.1 closed", "PRIORITY is accepted", get, expect.stream_closed,
     lambda c: priority(1) + ping(), expect.pong()),

    ("generic/3.1/1", "9113 6.1", "a DATA frame", lambda c: post(c) + data(1, b"test", end=True), expect.answered()),
    ("generic/3.1/2", "9113 6.1", "several DATA frames",
     lambda c: post(c) + data(1, b"test") + data(1, b"test", end=True), expect.answered()),
    ("generic/3.1/3", "9113 6.1", "a padded DATA frame",
     lambda c: post(c) + data(1, b"test", end=True, pad=5), expect.answered()),
    ("generic/3.2/1", "9113 6.2", "a HEADERS frame", get, expect.answered()),
    ("generic/3.2/2", "9113 6.2", "a padded HEADERS frame", lambda c: get(c, pad=8), expect.answered()),
    ("generic/3.2/3", "9113 6.2", "HEADERS with priority fields",
     lambda c: get(c, depends=0, weight=255), expect.answered()),
    ("generic/3.3/1", "9113 6.3", "PRIORITY with weight 1",
     lambda c: priority(1, weight=0) + get(c), expect.answered()),
    ("generic/3.3/2", "9113 6.3", "PRIORITY with weight 256",
     lambda c: priority(1, weight=255) + get(c), expect.answered()),
    ("generic/3.3/3", "9113 6.3", "PRIORITY with a dependency",
     lambda c: priority(3, depends=1, weight=0) + get(c), expect.answered()),
    ("generic/3.3/4", "9113 6.3", "PRIORITY, exclusive",
     lambda c: priority(1, weight=0, exclusive=True) + get(c), expect.answered()),
    ("generic/3.3/5", "9113 6.3", "PRIORITY on an idle stream does not use up lower ids",
     lambda c: priority(3) + get(c), expect.answered()),
    ("generic/3.4/1", "9113 6.4", "RST_STREAM on an open stream",
     lambda c: headers(1, c.request()) + rst_stream(1) + ping(), expect.pong(or_close=True)),
    ("generic/3.5/1", "9113 6.5", "all six settings are acknowledged",
     lambda c: settings([(HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100),
                         (INITIAL_WINDOW_SIZE, 65535), (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100)]),
     expect.settings_ack),
    ("generic/3.7/1", "9113 6.7", "PING is answered with its payload", lambda c: ping(PONG), expect.pong(PONG)),
    ("generic/3.8/1", "9113 6.8", "GOAWAY: the server goes on or closes",
     lambda c: goaway(debug=b"bye") + ping(PONG), expect.pong(PONG, or_close=True)),
    ("generic/3.9/1", "9113 6.9", "WINDOW_UPDATE on the connection",
     lambda c: window_update(0, 1) + ping(), expect.pong()),
    ("generic/3.9/2", "9113 6.9", "WINDOW_UPDATE on a stream",
     lambda c: get(c) + window_update(1, 1), expect.answered()),
    ("generic/3.10/1", "9113 6.10", "a CONTINUATION frame", lambda c: pieces(c.request(), 5), expect.answered()),
    ("generic/3.10/2", "9113 6.10", "two CONTINUATION frames",
     lambda c: pieces(c.request(), 5, 5), expect.answered()),

    ("generic/4/1", "9113 8.1", "GET", get, expect.answered()),
    ("generic/4/2", "9113 8.1", "HEAD", lambda c: headers(1, c.request(method="HEAD"), end=True), expect.answered()),
    ("generic/4/3", "9113 8.1", "POST", lambda c: post(c) + data(1, b"test", end=True), expect.answered()),
    ("generic/4/4", "9113 8.1", "POST with trailers",
     lambda c: post(c, ("trailer", "x-test")) + data(1, b"test") +
     headers(1, c.encoder.encode([("x-test", "ok")]), end=True), expect.answered()),
]


def with_field(field):
    """A request with one raw HPACK representation behind it."""
    return lambda c: headers(1, c.request() + field, end=True)


def _accepted():
    """generic/5: every form of RFC 7541 6 is accepted. user-agent is index 58 of the static table."""
    by_index, by_text = (58, b"rfc7541"), (b"x-test", b"rfc7541")
    forms = [(hpack.INDEXED, "7541 6.2.1", "with incremental indexing", 2),
             (hpack.PLAIN, "7541 6.2.2", "without indexing", 6),
             (hpack.NEVER, "7541 6.2.3", "never indexed", 10)]
    yield ("generic/5/1", "7541 6.1", "an indexed field", with_field(hpack.indexed(58)), expect.answered())
    for form, section, text, number in forms:
        for step, (pair, huffman, kind) in enumerate([
                (by_index, False, "indexed name"), (by_index, True, "indexed name, Huffman"),
                (by_text, False, "new name"), (by_text, True, "new name, Huffman")]):
            yield (f"generic/5/{number + step}", section, f"a literal {text}, {kind}",
                   with_field(hpack.literal(*pair, form, huffman)), expect.answered())
    yield ("generic/5/14", "7541 6.3", "a dynamic table size update",
           lambda c: headers(1, hpack.size_update(128) + c.request(), end=True), expect.answered())
    yield ("generic/5/15", "7541 4.2", "two dynamic table size updates",
           lambda c: headers(1, hpack.size_update(128) + hpack.size_update(4096) + c.request(), end=True),
           expect.answered())


def _too_large_table(c):
    limit = c.peer_settings.get(HEADER_TABLE_SIZE, 4096)
    return headers(1, hpack.size_update(limit + 1) + c.request(), end=True)


def value(encoded, name=b"x-test"):
    """A literal whose value is the given, already encoded, Huffman octets."""
    return with_field(b"\0" + hpack.string(name) + hpack.integer(len(encoded), 7, 0x80) + encoded)


def _with_eos():
    """"te", the whole EOS code, "t", padded with ones."""
    text = [hpack.CODES[symbol] for symbol in (*b"te", hpack.EOS, *b"t")]
    bits = "".join(f"{code:0{length}b}" for code, length in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


decoding_error = expect.connection_error(COMPRESSION_ERROR)

HPACK = [
    ("hpack/2.3.3/1", "7541 2.3.3", "an index beyond both tables", with_field(hpack.indexed(70)), decoding_error),
    ("hpack/2.3.3/2", "7541 2.3.3", "a name index beyond both tables",
     with_field(hpack.literal(70, b"", hpack.INDEXED)), decoding_error),
    ("hpack/4.2/1", "7541 4.2", "a table size update at the end of a block",
     with_field(hpack.size_update(1)), decoding_error),
    ("hpack/5.2/1", "7541 5.2", "Huffman padding longer than 7 bits",
     value(hpack.huffman_encode(b"test") + b"\xff"), decoding_error),
    # "tes" is 15 bits: its last bit is the padding, turned from one to zero.
    ("hpack/5.2/2", "7541 5.2", "Huffman padding of zeroes",
     value(hpack.huffman_encode(b"tes")[:-1] + bytes([hpack.huffman_encode(b"tes")[-1] & 0xfe])), decoding_error),
    ("hpack/5.2/3", "7541 5.2", "the EOS symbol in a string", value(_with_eos()), decoding_error),
    ("hpack/6.1/1", "7541 6.1", "index 0", with_field(b"\x80"), decoding_error),
    ("hpack/6.3/1", "7541 6.3", "a table size above SETTINGS_HEADER_TABLE_SIZE", _too_large_table, decoding_error),
]

RULES = GENERIC + list(_accepted()) + HPACK
