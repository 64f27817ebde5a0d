/* Headers of variable-size vectors (RFC 9420 2.1.2): read as that length, written the same. */
#include "vectors/vector_case.h"
#include "wire/reader.h"
#include "wire/writer.h"

void vector_deserialization(struct vector_case *c)
{
    struct bytes header = vector_hex(c, c->json, "vlbytes_header");
    uint64_t length = vector_uint(c, c->json, "length");
    struct wire_reader r = wire_reader_of(header);
    CHECK(wire_read_varint(&r) == length);
    CHECK_OK(wire_reader_end(&r));
    struct buf b = BUF_INIT;
    wire_write_varint(&b, length);
    CHECK_BYTES(vector_take(c, &b), header);
}
