#include "seal/names.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { LABEL_MAX_BYTES = 63 };

static bool is_letter(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* RFC 1123 2.1: letters, digits, hyphens inside. */
static bool label_fits(struct bytes label)
{
    if (label.len == 0 || label.len > LABEL_MAX_BYTES || label.data[0] == '-' ||
        label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '-')
            return false;
    }
    return true;
}

struct err domain_check(struct bytes domain, bool development)
{
    if (domain.len == 0 || domain.len > DOMAIN_MAX_BYTES)
        return ERR(DOMAIN);
    struct bytes last = {0};
    size_t labels = 0;
    for (size_t from = 0; from <= domain.len; from += last.len + 1) {
        const uint8_t *at = domain.data + from;
        const uint8_t *dot = from < domain.len ? memchr(at, '.', domain.len - from) : NULL;
        last = bytes_of(at, dot != NULL ? (size_t)(dot - at) : domain.len - from);
        if (!label_fits(last))
            return ERR(DOMAIN);
        labels++;
    }
    /* RFC 6761: never delegated, so nobody's outside a machine or a test */
    bool localhost = bytes_equal(last, bytes_str("localhost"));
    if (localhost || bytes_equal(last, bytes_str("test")))
        return development && (localhost || labels > 1) ? ERR_OK : ERR(DOMAIN);
    /* what resolvers take for an IPv4 address ends in a number: 127.1, 0x7f.0x1 */
    return labels > 1 && is_letter(last.data[0]) ? ERR_OK : ERR(DOMAIN);
}

static void domain_name_read(struct wire_reader *r, struct domain_name *name)
{
    name->uuid = wire_read_fixed(r, UUID_BYTES).data;
    name->domain = wire_read_vector(r);
    if (r->failure == ERR_NONE && !err_is_ok(domain_check(name->domain, true)))
        wire_reader_fail(r, ERR_DOMAIN);
}

struct err domain_name_parse(struct bytes in, struct domain_name *ret_name)
{
    struct wire_reader r = wire_reader_of(in);
    struct domain_name name;
    domain_name_read(&r, &name);
    TRY(wire_reader_end(&r));
    *ret_name = name;
    return ERR_OK;
}

void domain_name_write(struct buf *b, const struct domain_name *name)
{
    buf_append(b, name->uuid, UUID_BYTES);
    wire_write_vector(b, name->domain);
}

struct err client_id_parse(struct bytes in, struct client_id *ret_id)
{
    struct wire_reader r = wire_reader_of(in);
    struct client_id id;
    domain_name_read(&r, &id.user);
    id.client = wire_read_fixed(&r, UUID_BYTES).data;
    TRY(wire_reader_end(&r));
    *ret_id = id;
    return ERR_OK;
}

void client_id_write(struct buf *b, const struct client_id *id)
{
    domain_name_write(b, &id->user);
    buf_append(b, id->client, UUID_BYTES);
}
