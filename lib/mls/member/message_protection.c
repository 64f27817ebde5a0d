#include "mls/member/message_protection.h"

#include "crypto/labelled.h"

enum { SENDER_SEALED_BYTES = SENDER_DATA_BYTES + AEAD_TAG_BYTES };

/* RFC 9420 9: proposals and commits draw on the handshake ratchet */
static enum ratchet_type ratchet_of(enum content_type type)
{
    return type == CONTENT_APPLICATION ? RATCHET_APPLICATION : RATCHET_HANDSHAKE;
}

struct err message_sender_data_key(const struct suite *suite,
                                   const struct secret *sender_data_secret, struct bytes ciphertext,
                                   struct message_key *ret_key)
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct bytes from = secret_view(sender_data_secret);
    struct bytes sample = ciphertext;
    if (sample.len > suite_hash_bytes(suite))
        sample.len = suite_hash_bytes(suite);
    struct message_key k = {0};
    struct err err;
    TRY_OR(labelled_expand(kdf, from, LABEL_MLS, bytes_str("key"), sample,
                           suite->hpke.aead->key_bytes, &k.key),
           err, out);
    TRY_OR(labelled_expand_into(kdf, from, LABEL_MLS, bytes_str("nonce"), sample, AEAD_NONCE_BYTES,
                                k.nonce),
           err, out);
    *ret_key = k;
out:
    message_key_clear(&k);
    return err;
}

/* RFC 9420 6.3.1: the guard goes over the first four bytes of the nonce */
static void guard_nonce(struct message_key *key, const uint8_t guard[REUSE_GUARD_BYTES])
{
    for (size_t i = 0; i < REUSE_GUARD_BYTES; i++)
        key->nonce[i] ^= guard[i];
}

/* Seals what stands in `text` under the AAD that the message makes, in place. */
static struct err seal_content(const struct message_keys *keys, const struct sender_data *sender,
                               struct message_key *key, const struct private_message *message,
                               struct buf *text)
{
    struct buf aad = BUF_INIT;
    private_content_aad_write(&aad, message);
    struct err err = buf_check(&aad);
    size_t len = text->len;
    if (err_is_ok(err) && buf_extend(text, AEAD_TAG_BYTES) == NULL)
        err = buf_check(text);
    if (err_is_ok(err)) {
        guard_nonce(key, sender->reuse_guard);
        err = aead_seal(keys->suite->hpke.aead, &key->key, key->nonce, buf_view(&aad),
                        bytes_of(text->data, len), text->data);
    }
    buf_clear(&aad);
    return err;
}

/* RFC 9420 6.3.2; message->ciphertext is there already, since the key is made from it. */
static struct err seal_sender(const struct message_keys *keys, const struct sender_data *sender,
                              const struct private_message *message,
                              uint8_t sealed[SENDER_SEALED_BYTES])
{
    struct buf aad = BUF_INIT;
    struct buf text = BUF_INIT;
    struct message_key key = {0};
    sender_data_write(&text, sender);
    sender_data_aad_write(&aad, message);
    struct err err;
    TRY_OR(buf_check(&text), err, out);
    TRY_OR(buf_check(&aad), err, out);
    TRY_OR(message_sender_data_key(keys->suite, keys->sender_data, message->ciphertext, &key), err,
           out);
    err = aead_seal(keys->suite->hpke.aead, &key.key, key.nonce, buf_view(&aad), buf_view(&text),
                    sealed);
out:
    message_key_clear(&key);
    buf_clear(&aad);
    buf_clear(&text);
    return err;
}

struct err message_seal(const struct message_keys *keys, const struct rng *rng,
                        const struct authenticated_content *content, size_t padding_bytes,
                        struct buf *b)
{
    const struct framed_content *framed = &content->content;
    if (content->wire_format != WIRE_FORMAT_PRIVATE_MESSAGE || framed->sender.type != SENDER_MEMBER)
        return ERR(ARGUMENT);
    struct private_message message = {.group_id = framed->group_id,
                                      .epoch = framed->epoch,
                                      .content_type = framed->type,
                                      .authenticated_data = framed->authenticated_data};
    struct sender_data sender = {.leaf_index = framed->sender.index};
    struct message_key key = {0};
    uint8_t sealed_sender[SENDER_SEALED_BYTES];
    struct buf text = BUF_INIT;
    size_t len_before = b->len;
    struct err err;
    /* what may fail comes before the ratchet moves, as far as it can */
    private_content_write(&text, framed, &content->auth, padding_bytes);
    TRY_OR(buf_check(&text), err, out);
    TRY_OR(rng_fill(rng, sender.reuse_guard, sizeof sender.reuse_guard), err, out);
    TRY_OR(secret_tree_next(keys->tree, sender.leaf_index, ratchet_of(framed->type), &key), err,
           out);
    sender.generation = key.generation;
    TRY_OR(seal_content(keys, &sender, &key, &message, &text), err, out);
    message.ciphertext = buf_view(&text);
    TRY_OR(seal_sender(keys, &sender, &message, sealed_sender), err, out);
    message.encrypted_sender_data = bytes_of(sealed_sender, sizeof sealed_sender);
    private_message_write(b, &message);
    err = buf_check(b);
    if (!err_is_ok(err))
        b->len = len_before;
out:
    message_key_clear(&key);
    buf_clear(&text);
    return err;
}

struct err message_open_sender(const struct message_keys *keys,
                               const struct private_message *message,
                               struct sender_data *ret_sender)
{
    if (message->encrypted_sender_data.len != SENDER_SEALED_BYTES)
        return ERR(CRYPTO_TAG);
    struct buf aad = BUF_INIT;
    struct message_key key = {0};
    uint8_t text[SENDER_DATA_BYTES] = {0};
    sender_data_aad_write(&aad, message);
    struct err err;
    TRY_OR(buf_check(&aad), err, out);
    TRY_OR(message_sender_data_key(keys->suite, keys->sender_data, message->ciphertext, &key), err,
           out);
    TRY_OR(aead_open(keys->suite->hpke.aead, &key.key, key.nonce, buf_view(&aad),
                     message->encrypted_sender_data, text),
           err, out);
    err = sender_data_parse(bytes_of(text, sizeof text), ret_sender);
out:
    message_key_clear(&key);
    bytes_wipe(text, sizeof text);
    buf_clear(&aad);
    return err;
}

/* Into the arena, where the content will point. */
static struct err open_text(const struct message_keys *keys, const struct private_message *message,
                            const struct sender_data *sender, struct arena *a,
                            struct bytes *ret_text)
{
    if (message->ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    size_t len = message->ciphertext.len - AEAD_TAG_BYTES;
    struct buf aad = BUF_INIT;
    struct message_key key = {0};
    struct err err;
    TRY_OR(secret_tree_peek(keys->tree, sender->leaf_index, ratchet_of(message->content_type),
                            sender->generation, &key),
           err, out);
    guard_nonce(&key, sender->reuse_guard);
    private_content_aad_write(&aad, message);
    TRY_OR(buf_check(&aad), err, out);
    uint8_t *text = arena_alloc(a, len);
    if (text == NULL) {
        err = ERR(NO_MEMORY);
        goto out;
    }
    TRY_OR(aead_open(keys->suite->hpke.aead, &key.key, key.nonce, buf_view(&aad),
                     message->ciphertext, text),
           err, out);
    *ret_text = bytes_of(text, len);
out:
    message_key_clear(&key);
    buf_clear(&aad);
    return err;
}

struct err message_open_content(const struct message_keys *keys,
                                const struct private_message *message,
                                const struct sender_data *sender, struct arena *a,
                                struct authenticated_content *ret_content)
{
    struct bytes text;
    TRY(open_text(keys, message, sender, a, &text));
    struct authenticated_content content = {
        .wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
        .content = {.group_id = message->group_id,
                    .epoch = message->epoch,
                    .sender = {.type = SENDER_MEMBER, .index = sender->leaf_index},
                    .authenticated_data = message->authenticated_data},
    };
    TRY(private_content_parse(text, a, message->content_type, &content.content, &content.auth));
    *ret_content = content;
    return ERR_OK;
}

struct err message_done(const struct message_keys *keys, const struct private_message *message,
                        const struct sender_data *sender)
{
    return secret_tree_consume(keys->tree, sender->leaf_index, ratchet_of(message->content_type),
                               sender->generation);
}

struct err message_membership_tag(const struct suite *suite, const struct secret *membership_key,
                                  const struct authenticated_content *content, struct bytes context,
                                  struct digest *ret_tag)
{
    struct buf tbm = BUF_INIT;
    framed_content_write_tbm(&tbm, content, context);
    struct err err = buf_check(&tbm);
    if (err_is_ok(err))
        hmac_once(suite->hash, secret_view(membership_key), BYTES_LIST(buf_view(&tbm)), ret_tag);
    buf_clear(&tbm);
    return err;
}

struct err message_check_membership(const struct suite *suite, const struct secret *membership_key,
                                    const struct authenticated_content *content,
                                    struct bytes context, struct bytes tag)
{
    struct digest want;
    TRY(message_membership_tag(suite, membership_key, content, context, &want));
    return bytes_equal_ct(digest_view(&want), tag) ? ERR_OK : ERR(MLS_MEMBERSHIP_TAG);
}
