/* A roster as it is stored, and its life.
 *
 *     struct { uint8 version = 2; Leaf leaves[...]; } Roster
 *     struct { uint32 leaf; uint8 state; opaque user_pseudonym[16], pseudonym[16], leaf_hash[32];
 *              opaque client_id<V>; opaque contact[16]; uint8 own_user; uint64 since_s, news_ms;
 *              uint8 flags; (not in version 1; 1 outside, 2 told, above these: waits)
 *              opaque wrapped_identity_key<V>, wrapped_profile_key<V>; } Leaf
 */
#include <stdlib.h>

#include "client/core/roster.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION_1 = 1, ROW_VERSION = 2 };
enum { OUTSIDE = 1, TOLD = 2, WAITS_SHIFT = 2 };

void roster_free(struct roster *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++) {
        buf_clear(&r->leaves[i].wrapped_identity_key);
        buf_clear(&r->leaves[i].wrapped_profile_key);
    }
    free(r->leaves);
    free(r);
}

static void leaf_write(struct buf *b, const struct roster_leaf *l)
{
    wire_write_u32(b, l->leaf);
    wire_write_u8(b, (uint8_t)l->state);
    wire_write_fixed(b, bytes_of(l->user_pseudonym, sizeof l->user_pseudonym));
    wire_write_fixed(b, bytes_of(l->pseudonym, sizeof l->pseudonym));
    wire_write_fixed(b, bytes_of(l->leaf_hash, sizeof l->leaf_hash));
    wire_write_vector(b, bytes_of(l->client_id, l->client_id_len));
    wire_write_fixed(b, bytes_of(l->contact.bytes, sizeof l->contact.bytes));
    wire_write_u8(b, l->own_user ? 1 : 0);
    wire_write_u64(b, l->since_s);
    wire_write_u64(b, l->news_ms);
    wire_write_u8(b, (uint8_t)((l->outside ? OUTSIDE : 0) | (l->told ? TOLD : 0) |
                               ((unsigned)l->waits << WAITS_SHIFT)));
    wire_write_vector(b, buf_view(&l->wrapped_identity_key));
    wire_write_vector(b, buf_view(&l->wrapped_profile_key));
}

struct err roster_write(const struct roster *r, struct buf *b)
{
    wire_write_u8(b, ROW_VERSION);
    for (size_t i = 0; i < r->count; i++)
        leaf_write(b, &r->leaves[i]);
    return buf_check(b);
}

static void read_into(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

static void read_buf(struct wire_reader *r, struct buf *out)
{
    buf_append_bytes(out, wire_read_vector(r));
    if (out->failed)
        wire_reader_fail(r, ERR_NO_MEMORY);
}

static void leaf_read(struct wire_reader *r, uint8_t version, struct roster_leaf *l)
{
    l->leaf = wire_read_u32(r);
    l->state = (enum roster_state)wire_read_u8(r);
    read_into(r, l->user_pseudonym, sizeof l->user_pseudonym);
    read_into(r, l->pseudonym, sizeof l->pseudonym);
    read_into(r, l->leaf_hash, sizeof l->leaf_hash);
    struct bytes client = wire_read_vector(r);
    if (client.len > sizeof l->client_id) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
    } else if (client.len > 0) {
        memcpy(l->client_id, client.data, client.len);
        l->client_id_len = client.len;
    }
    read_into(r, l->contact.bytes, sizeof l->contact.bytes);
    l->own_user = wire_read_present(r);
    l->since_s = wire_read_u64(r);
    l->news_ms = wire_read_u64(r);
    if (version >= ROW_VERSION) {
        uint8_t flags = wire_read_u8(r);
        l->outside = (flags & OUTSIDE) != 0;
        l->told = (flags & TOLD) != 0;
        l->waits = (enum roster_waits)(flags >> WAITS_SHIFT);
    }
    read_buf(r, &l->wrapped_identity_key);
    read_buf(r, &l->wrapped_profile_key);
}

struct err roster_read(struct bytes in, struct roster **ret_roster)
{
    struct wire_reader r = wire_reader_of(in);
    struct roster *roster = calloc(1, sizeof *roster);
    if (roster == NULL)
        return ERR(NO_MEMORY);
    uint8_t version = wire_read_u8(&r);
    if (version != ROW_VERSION && version != ROW_VERSION_1)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    while (wire_reader_more(&r)) {
        struct roster_leaf *leaves = realloc(roster->leaves, (roster->count + 1) * sizeof *leaves);
        if (leaves == NULL) {
            roster_free(roster);
            return ERR(NO_MEMORY);
        }
        roster->leaves = leaves;
        leaves[roster->count] = (struct roster_leaf){0};
        leaf_read(&r, version, &leaves[roster->count++]);
    }
    struct err err = wire_reader_end(&r);
    if (!err_is_ok(err)) {
        roster_free(roster);
        return err;
    }
    *ret_roster = roster;
    return ERR_OK;
}
