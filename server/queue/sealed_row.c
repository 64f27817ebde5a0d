/* What every row of queue.db has in common: its seal and its id. */
#include "server/queue/inside.h"
#include "wire/writer.h"

enum { AAD_BYTES = 64 };

/* table || row || more, in a fixed buffer: names and keys are short. */
static struct err aad_of(uint8_t aad[AAD_BYTES], const char *table, uint64_t row, struct bytes more,
                         struct bytes *ret_aad)
{
    struct bytes name = bytes_str(table);
    if (name.len + 1 + 8 + more.len > AAD_BYTES)
        return ERR(INTERNAL);
    size_t at = 0;
    aad[at++] = (uint8_t)name.len;
    memcpy(aad + at, name.data, name.len);
    at += name.len;
    for (int shift = 56; shift >= 0; shift -= 8)
        aad[at++] = (uint8_t)(row >> shift);
    if (more.len != 0)
        memcpy(aad + at, more.data, more.len);
    *ret_aad = bytes_of(aad, at + more.len);
    return ERR_OK;
}

struct err queue_seal(const struct queue *q, struct buf *b, const char *table, uint64_t row,
                      struct bytes more, struct bytes plaintext)
{
    uint8_t room[AAD_BYTES];
    struct bytes aad;
    TRY(aad_of(room, table, row, more, &aad));
    return at_rest_seal(b, q->rows_key, q->env->rng, aad, plaintext);
}

struct err queue_open_sealed(const struct queue *q, struct buf *b, const char *table, uint64_t row,
                             struct bytes more, struct bytes sealed)
{
    uint8_t room[AAD_BYTES];
    struct bytes aad;
    TRY(aad_of(room, table, row, more, &aad));
    return at_rest_open(b, q->rows_key, aad, sealed);
}

void queue_prf(const struct queue *q, const char *what, struct bytes a, struct bytes b,
               uint8_t ret_id[QUEUE_PRF_BYTES])
{
    at_rest_prf(q->ids_key, BYTES_LIST(bytes_str(what), a, b), ret_id);
}

uint64_t queue_principal(const struct queue *q, const char *what, struct bytes id)
{
    uint8_t prf[QUEUE_PRF_BYTES];
    queue_prf(q, what, id, bytes_of(NULL, 0), prf);
    uint64_t principal;
    memcpy(&principal, prf, sizeof principal);
    return principal;
}

struct err queue_random_row(const struct queue *q, uint64_t *ret_row)
{
    uint64_t row = 0;
    while (row == 0) {
        TRY(rng_fill(q->env->rng, &row, sizeof row));
        row &= (UINT64_C(1) << QUEUE_CLIENT_BITS) - 1;
    }
    *ret_row = row;
    return ERR_OK;
}
