#include "seal/delivery_body.h"

void leaf_news_write(struct buf *b, const struct leaf_news *news)
{
    wire_write_u32(b, news->leaf);
    wire_write_fixed(b, bytes_of(news->user_pseudonym, PSEUDONYM_BYTES));
    wire_write_vector(b, news->wrapped_identity_key);
    wire_write_vector(b, news->wrapped_profile_key);
    wire_write_vector(b, news->pseudonym_signature);
}

void leaf_news_read(struct wire_reader *r, struct leaf_news *ret_news)
{
    ret_news->leaf = wire_read_u32(r);
    ret_news->user_pseudonym = wire_read_fixed(r, PSEUDONYM_BYTES).data;
    ret_news->wrapped_identity_key = wire_read_vector(r);
    ret_news->wrapped_profile_key = wire_read_vector(r);
    ret_news->pseudonym_signature = wire_read_vector(r);
}

void delivery_commit_write(struct buf *b, struct bytes commit, struct bytes external_pub_hash,
                           const struct leaf_news *leaves, size_t count)
{
    wire_write_vector(b, commit);
    wire_write_vector(b, external_pub_hash);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < count; i++)
        leaf_news_write(b, &leaves[i]);
    wire_vector_end(b, mark);
}

struct err delivery_commit_parse(struct bytes body, struct bytes *ret_commit,
                                 struct bytes *ret_external_pub_hash, struct bytes *ret_leaves)
{
    struct wire_reader r = wire_reader_of(body);
    struct bytes commit = wire_read_vector(&r);
    struct bytes hash = wire_read_vector(&r);
    struct wire_reader leaves = wire_read_nested(&r);
    struct bytes raw = bytes_of(leaves.at, wire_reader_left(&leaves));
    struct leaf_news news;
    while (wire_reader_more(&leaves))
        leaf_news_read(&leaves, &news);
    wire_reader_join(&r, &leaves);
    TRY(wire_reader_end(&r));
    *ret_commit = commit;
    *ret_external_pub_hash = hash;
    *ret_leaves = raw;
    return ERR_OK;
}

void delivery_proposal_write(struct buf *b, enum delivery_reason reason, struct bytes message)
{
    wire_write_u8(b, (uint8_t)reason);
    wire_write_vector(b, message);
}

struct err delivery_proposal_parse(struct bytes body, enum delivery_reason *ret_reason,
                                   struct bytes *ret_message)
{
    struct wire_reader r = wire_reader_of(body);
    uint8_t reason = wire_read_u8(&r);
    struct bytes message = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_reason = (enum delivery_reason)reason;
    *ret_message = message;
    return ERR_OK;
}

void delivery_targeted_write(struct buf *b, uint32_t sender_leaf, struct bytes message)
{
    wire_write_u32(b, sender_leaf);
    wire_write_vector(b, message);
}

struct err delivery_targeted_parse(struct bytes body, uint32_t *ret_sender_leaf,
                                   struct bytes *ret_message)
{
    struct wire_reader r = wire_reader_of(body);
    uint32_t leaf = wire_read_u32(&r);
    struct bytes message = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_sender_leaf = leaf;
    *ret_message = message;
    return ERR_OK;
}

void delivery_loss_write(struct buf *b, uint64_t count)
{
    wire_write_u64(b, count);
}

struct err delivery_loss_parse(struct bytes body, uint64_t *ret_count)
{
    struct wire_reader r = wire_reader_of(body);
    uint64_t count = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    *ret_count = count;
    return ERR_OK;
}

void delivery_fault_write(struct buf *b, uint64_t epoch, uint32_t reporter_leaf,
                          const uint8_t commit_hash[COMMIT_HASH_BYTES])
{
    wire_write_u64(b, epoch);
    wire_write_u32(b, reporter_leaf);
    wire_write_fixed(b, bytes_of(commit_hash, COMMIT_HASH_BYTES));
}

struct err delivery_fault_parse(struct bytes body, uint64_t *ret_epoch, uint32_t *ret_reporter_leaf,
                                struct bytes *ret_commit_hash)
{
    struct wire_reader r = wire_reader_of(body);
    uint64_t epoch = wire_read_u64(&r);
    uint32_t leaf = wire_read_u32(&r);
    struct bytes hash = wire_read_fixed(&r, COMMIT_HASH_BYTES);
    TRY(wire_reader_end(&r));
    *ret_epoch = epoch;
    *ret_reporter_leaf = leaf;
    *ret_commit_hash = hash;
    return ERR_OK;
}

void leaf_keys_write(struct buf *b, const struct leaf_news *leaves, size_t count)
{
    if (count == 0)
        return;
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < count; i++) {
        wire_write_fixed(b, bytes_of(leaves[i].user_pseudonym, PSEUDONYM_BYTES));
        wire_write_vector(b, leaves[i].wrapped_identity_key);
        wire_write_vector(b, leaves[i].wrapped_profile_key);
    }
    wire_vector_end(b, mark);
}
