#include "server/delivery/group_lock.h"

#include "seal/at_rest.h"
#include "wire/writer.h"

struct err group_aad_write(struct buf *b, const char *what, struct bytes group_id, uint64_t number)
{
    buf_reset_unwiped(b);
    wire_write_vector(b, bytes_str(what));
    wire_write_vector(b, group_id);
    wire_write_u64(b, number);
    return buf_check(b);
}

struct err group_lock_seal(const struct delivery *d, const char *what, struct bytes group_id,
                           const uint8_t state_key[STATE_KEY_BYTES], uint64_t number,
                           struct buf *lock)
{
    struct buf aad = BUF_INIT;
    struct err err = group_aad_write(&aad, what, group_id, number);
    if (err_is_ok(err))
        err = at_rest_seal(lock, state_key, d->env.rng, buf_view(&aad), bytes_of(NULL, 0));
    buf_clear(&aad);
    return err_is_ok(err) ? buf_check(lock) : err;
}

struct err group_lock_open(const char *what, struct bytes group_id,
                           const uint8_t state_key[STATE_KEY_BYTES], uint64_t number,
                           struct bytes lock)
{
    struct buf aad = BUF_INIT;
    struct buf nothing = BUF_INIT;
    struct err err = group_aad_write(&aad, what, group_id, number);
    if (err_is_ok(err))
        err = at_rest_open(&nothing, state_key, buf_view(&aad), lock);
    buf_clear(&nothing);
    buf_clear(&aad);
    return err.code == ERR_CRYPTO_TAG ? ERR(NOT_FOUND) : err;
}
