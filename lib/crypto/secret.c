#include "crypto/secret.h"

void secret_clear(struct secret *s)
{
    bytes_wipe(s, sizeof *s);
}

struct err secret_set(struct bytes value, struct secret *ret_secret)
{
    if (value.len > SECRET_MAX_BYTES)
        return ERR(TOO_LARGE);
    /* through a copy: value may lie in ret_secret itself */
    struct secret s = {.len = value.len};
    if (value.len > 0)
        memcpy(s.data, value.data, value.len);
    *ret_secret = s;
    secret_clear(&s);
    return ERR_OK;
}

void secret_set_zero(size_t len, struct secret *ret_secret)
{
    *ret_secret = (struct secret){.len = len <= SECRET_MAX_BYTES ? len : SECRET_MAX_BYTES};
}

struct err secret_random(const struct rng *rng, size_t len, struct secret *ret_secret)
{
    if (len > SECRET_MAX_BYTES)
        return ERR(TOO_LARGE);
    struct secret s = {.len = len};
    struct err err = rng_fill(rng, s.data, len);
    if (err_is_ok(err))
        *ret_secret = s;
    secret_clear(&s);
    return err;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return bytes_equal_ct(secret_view(a), secret_view(b));
}
