/* User pseudonyms and the roles that are given to them (leaf_credential.h). */
#include <stdlib.h>

#include "crypto/labelled.h"
#include "seal/leaf_credential.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define LABEL bytes_str("UserPseudonym")

static struct err claim_write(struct buf *b, struct bytes group_id, const uint8_t *user_pseudonym,
                              struct bytes new_leaf_key)
{
    wire_write_vector(b, group_id);
    wire_write_fixed(b, bytes_of(user_pseudonym, PSEUDONYM_BYTES));
    wire_write_vector(b, new_leaf_key);
    return buf_check(b);
}

struct err user_pseudonym_sign(const struct sig_key *leaf_key, struct bytes group_id,
                               const uint8_t user_pseudonym[PSEUDONYM_BYTES],
                               struct bytes new_leaf_key, struct signature *ret_signature)
{
    struct buf b = BUF_INIT;
    struct err err = claim_write(&b, group_id, user_pseudonym, new_leaf_key);
    if (err_is_ok(err))
        err = labelled_sign(leaf_key, LABEL_HEARTH, LABEL, buf_view(&b), ret_signature);
    buf_clear(&b);
    return err;
}

struct err user_pseudonym_verify(const struct sig_alg *alg, struct bytes leaf_key,
                                 struct bytes group_id,
                                 const uint8_t user_pseudonym[PSEUDONYM_BYTES],
                                 struct bytes new_leaf_key, struct bytes signature)
{
    struct buf b = BUF_INIT;
    struct err err = claim_write(&b, group_id, user_pseudonym, new_leaf_key);
    if (err_is_ok(err))
        err = labelled_verify(alg, leaf_key, LABEL_HEARTH, LABEL, buf_view(&b), signature);
    buf_clear(&b);
    return err;
}

static struct err roles_parse(struct bytes contents, struct bytes *ret_admins)
{
    struct wire_reader r = wire_reader_of(contents);
    struct bytes admins = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (admins.len % PSEUDONYM_BYTES != 0)
        return ERR(WIRE_VALUE);
    for (size_t at = PSEUDONYM_BYTES; at < admins.len; at += PSEUDONYM_BYTES)
        if (memcmp(admins.data + at - PSEUDONYM_BYTES, admins.data + at, PSEUDONYM_BYTES) >= 0)
            return ERR(WIRE_VALUE);
    *ret_admins = admins;
    return ERR_OK;
}

struct err roles_check(struct bytes contents)
{
    struct bytes admins;
    return roles_parse(contents, &admins);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, PSEUDONYM_BYTES);
}

bool roles_is_admin(struct bytes contents, const uint8_t user_pseudonym[PSEUDONYM_BYTES])
{
    struct bytes admins = {0};
    return err_is_ok(roles_parse(contents, &admins)) && admins.len > 0 &&
           bsearch(user_pseudonym, admins.data, admins.len / PSEUDONYM_BYTES, PSEUDONYM_BYTES,
                   by_bytes) != NULL;
}

void roles_write(struct buf *b, const uint8_t (*admins)[PSEUDONYM_BYTES], size_t count)
{
    wire_write_varint(b, count * PSEUDONYM_BYTES);
    if (count == 0)
        return;
    uint8_t *sorted = buf_extend(b, count * PSEUDONYM_BYTES);
    if (sorted == NULL)
        return;
    memcpy(sorted, admins, count * PSEUDONYM_BYTES);
    qsort(sorted, count, PSEUDONYM_BYTES, by_bytes);
}
