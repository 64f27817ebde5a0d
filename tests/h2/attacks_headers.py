"""Attacks with header blocks: little on the wire, much when decoded."""
import time

import frames as h2
import hpack
from abuse import Verdict, attack, flood, per_conn
from frames import Closed
from grpc_wire import answer, block, echo, message

REFUSED = (8, 13)  # RESOURCE_EXHAUSTED, INTERNAL


def refused_each(a, make, body=message(echo(b"x"))):
    """make(c) is the header block of a call; each must be refused, by status, by reset or by cutting."""
    served = refused = cut = 0
    while a.left() > 0:
        try:
            c = a.conn()
        except Closed:
            refused += 1
            time.sleep(0.02)
            continue
        stream = 1
        while a.left() > 0:
            parts = make(c, stream)
            if not c.send(*parts, h2.data(stream, body, end=True)):
                break
            status, _, ended = answer(c, stream, 1.0)
            if status == 0:
                served += 1
            elif status in REFUSED or "RST_STREAM" in str(ended) or status is None and "HEADERS" in str(ended):
                refused += 1
            elif ended == h2.TIMEOUT:
                return Verdict(False, "a call without an answer")
            if c.closed or "GOAWAY" in str(ended):
                break
            stream += 2
        cut += 1
        c.close()
    return Verdict(served == 0 and refused + cut > 0, f"{served} served, {refused} refused, {cut} connections cut")


@attack("HPACK bomb: frames of 16 KiB that decode to 60 MB (a 4 KB entry, named by one byte, 16,000 times)")
def hpack_bomb(a):
    def burst(c, ids):
        stream = ids.take(1)[0]
        if stream == 1:
            return h2.headers(1, block(c) + hpack.literal(b"x-bomb", b"0" * 4000, hpack.INDEXED), end=True)
        return h2.headers(stream, block(c) + hpack.indexed(62) * 16000, end=True)
    return flood(a, per_conn(burst))


@attack("10,000 metadata entries in one request, one byte each")
def metadata_10000(a):
    def burst(c, ids):
        stream = ids.take(1)[0]
        if stream == 1:
            return h2.headers(1, block(c) + hpack.literal(b"m", b"1", hpack.INDEXED), end=True)
        return h2.headers(stream, block(c) + hpack.indexed(62) * 10000, end=True)
    return flood(a, per_conn(burst), per_s=100)


@attack("header blocks of 100 KB in HEADERS and 7 CONTINUATION, again and again")
def headers_100k(a):
    piece = hpack.literal(b"x-large", b"x" * 14000)

    def burst(c, ids):
        stream = ids.take(1)[0]
        return h2.headers(stream, block(c), end=True, end_headers=False) + h2.continuation(stream, piece) * 6 + \
            h2.continuation(stream, piece, end_headers=True)
    return flood(a, per_conn(burst), per_s=100)


@attack("header lists above the announced size, call after call")
def header_list_large(a):
    piece = b"".join(hpack.literal(b"x-%d" % number, b"x" * 1000) for number in range(12))
    return refused_each(a, lambda c, stream: [h2.headers(stream, block(c) + piece)])


@attack("one field of 16 KB in Huffman that decodes to 25 KB, call after call")
def huffman_long(a):
    piece = hpack.literal(b"x-long", b"0" * 25000, huffman=True)
    return refused_each(a, lambda c, stream: [h2.headers(stream, block(c) + piece)])


@attack("the dynamic table emptied and refilled in each request", control=False, cpu=None,
        why_not="the work is bounded by the bytes sent; it shows that others are served meanwhile")
def table_thrash(a):
    rows = b"".join(hpack.literal(b"t%02d" % number, b"v" * 20, hpack.INDEXED) for number in range(60))
    thrash = hpack.size_update(0) + hpack.size_update(4096)
    body, served, cut, last = message(echo(b"x")), 0, 0, ""
    while a.left() > 0:
        try:
            c, stream = a.conn(cut % 40), 1
        except Closed:
            continue
        while a.left() > 0 and c.send(h2.headers(stream, thrash + block(c) + rows), h2.data(stream, body, end=True)):
            status, _, last = answer(c, stream, 1.0)
            if status is None:
                break
            served += status == 0
            stream += 2
        cut += 1
        c.close()
    return Verdict(served + cut > 1, f"{served} served over {cut} connections, last {last}")
