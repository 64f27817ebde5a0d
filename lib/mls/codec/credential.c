#include "mls/codec/credential.h"

struct wire_reader credential_certificates(const struct mls_credential *c)
{
    return wire_reader_of(c->type == CREDENTIAL_X509 ? c->body : bytes_of(NULL, 0));
}

bool credential_next_certificate(struct wire_reader *it, struct bytes *ret_der)
{
    if (!wire_reader_more(it))
        return false;
    *ret_der = wire_read_vector(it);
    return it->failure == ERR_NONE;
}

void credential_read(struct wire_reader *r, struct mls_credential *c)
{
    c->type = wire_read_u16(r);
    c->body = wire_read_vector(r);
    if (c->type != CREDENTIAL_X509 || r->failure != ERR_NONE)
        return;
    struct wire_reader it = credential_certificates(c);
    struct bytes der;
    size_t count = 0;
    while (credential_next_certificate(&it, &der)) {
        if (++count > MLS_MAX_CERTIFICATES)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
    }
    if (count == 0)
        wire_reader_fail(&it, ERR_WIRE_VALUE);
    wire_reader_join(r, &it);
}

void credential_write(struct buf *b, const struct mls_credential *c)
{
    wire_write_u16(b, c->type);
    wire_write_vector(b, c->body);
}

bool credential_equal(const struct mls_credential *a, const struct mls_credential *b)
{
    return a->type == b->type && bytes_equal(a->body, b->body);
}
