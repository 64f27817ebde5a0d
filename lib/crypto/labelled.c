#include "crypto/labelled.h"

#include <stdlib.h>

#include "wire/writer.h"

/* The length of a vector in front of pieces that are hashed without being joined. */
struct head {
    uint8_t bytes[4];
    size_t len;
};

/* RFC 9420 2.1.2; value at most WIRE_VECTOR_MAX */
static struct head head_of(size_t value)
{
    struct head head = {.len = wire_varint_size(value)};
    struct buf b = {.data = head.bytes, .cap = sizeof head.bytes, .limit = sizeof head.bytes};
    wire_write_varint(&b, value);
    return head;
}

static struct bytes head_view(const struct head *h)
{
    return bytes_of(h->bytes, h->len);
}

static struct err check_sizes(struct bytes prefix, struct bytes label, struct bytes content)
{
    if (prefix.len > LABELLED_LABEL_MAX_BYTES || label.len > LABELLED_LABEL_MAX_BYTES - prefix.len)
        return ERR(ARGUMENT);
    return content.len > WIRE_VECTOR_MAX ? ERR(TOO_LARGE) : ERR_OK;
}

struct err labelled_ref_hash(const struct hash_alg *alg, struct bytes label, struct bytes value,
                             struct digest *ret_hash)
{
    TRY(check_sizes(bytes_of(NULL, 0), label, value));
    struct head label_head = head_of(label.len);
    struct head value_head = head_of(value.len);
    hash_list(alg, BYTES_LIST(head_view(&label_head), label, head_view(&value_head), value),
              ret_hash);
    return ERR_OK;
}

/* SignContent in one piece: on the stack when it is short, as most are (a leaf, a proposal, a short
 * message). */
enum { SIGN_STACK_BYTES = 2048 };

struct sign_content {
    uint8_t *heap; /* NULL when it fitted the stack */
    struct bytes view;
    uint8_t stack[SIGN_STACK_BYTES];
};

static struct err sign_content_init(struct sign_content *c, struct bytes prefix, struct bytes label,
                                    struct bytes content)
{
    TRY(check_sizes(prefix, label, content));
    size_t label_len = prefix.len + label.len;
    size_t len =
        wire_varint_size(label_len) + label_len + wire_varint_size(content.len) + content.len;
    c->heap = NULL;
    if (len > SIGN_STACK_BYTES && (c->heap = malloc(len)) == NULL)
        return ERR(NO_MEMORY);
    uint8_t *data = c->heap != NULL ? c->heap : c->stack;
    /* capacity is exact, so the writer never allocates */
    struct buf b = {.data = data, .cap = len, .limit = len};
    wire_write_varint(&b, label_len);
    wire_write_fixed(&b, prefix);
    wire_write_fixed(&b, label);
    wire_write_vector(&b, content);
    c->view = bytes_of(data, len);
    return ERR_OK;
}

static void sign_content_clear(struct sign_content *c)
{
    /* what is signed may be plaintext (FramedContentTBS of a PrivateMessage) */
    uint8_t *data = c->heap != NULL ? c->heap : c->stack;
    bytes_wipe(data, c->view.len);
    free(c->heap);
}

struct err labelled_sign(const struct sig_key *key, struct bytes prefix, struct bytes label,
                         struct bytes content, struct signature *ret_signature)
{
    struct sign_content c;
    TRY(sign_content_init(&c, prefix, label, content));
    struct err err = sig_sign(key, c.view, ret_signature);
    sign_content_clear(&c);
    return err;
}

struct err labelled_verify(const struct sig_alg *alg, struct bytes public_key, struct bytes prefix,
                           struct bytes label, struct bytes content, struct bytes signature)
{
    struct sign_content c;
    TRY(sign_content_init(&c, prefix, label, content));
    struct err err = sig_verify(alg, public_key, c.view, signature);
    sign_content_clear(&c);
    return err;
}

struct err labelled_verify_with(const struct sig_verifier *verifier, struct bytes prefix,
                                struct bytes label, struct bytes content, struct bytes signature)
{
    struct sign_content c;
    TRY(sign_content_init(&c, prefix, label, content));
    struct err err = sig_verifier_verify(verifier, c.view, signature);
    sign_content_clear(&c);
    return err;
}

struct err labelled_encrypt_info(const struct hpke_suite *suite, struct bytes prefix,
                                 struct bytes label, struct bytes context,
                                 struct hpke_info *ret_info)
{
    TRY(check_sizes(prefix, label, context));
    struct head label_head = head_of(prefix.len + label.len);
    struct head context_head = head_of(context.len);
    hpke_info_of(
        suite, BYTES_LIST(head_view(&label_head), prefix, label, head_view(&context_head), context),
        ret_info);
    return ERR_OK;
}

struct err labelled_encrypt(const struct hpke_suite *suite, const struct rng *rng,
                            struct bytes public_key, struct bytes prefix, struct bytes label,
                            struct bytes context, struct bytes plaintext,
                            struct public_key *ret_enc, uint8_t *ret_ciphertext)
{
    TRY(check_sizes(prefix, label, context));
    struct head label_head = head_of(prefix.len + label.len);
    struct head context_head = head_of(context.len);
    return hpke_seal(
        suite, rng, public_key,
        BYTES_LIST(head_view(&label_head), prefix, label, head_view(&context_head), context),
        bytes_of(NULL, 0), plaintext, ret_enc, ret_ciphertext);
}

struct err labelled_decrypt(const struct hpke_suite *suite, struct bytes private_key,
                            struct bytes own_public, struct bytes prefix, struct bytes label,
                            struct bytes context, struct bytes enc, struct bytes ciphertext,
                            uint8_t *ret_plaintext)
{
    TRY(check_sizes(prefix, label, context));
    struct head label_head = head_of(prefix.len + label.len);
    struct head context_head = head_of(context.len);
    return hpke_open(
        suite, private_key, own_public, enc,
        BYTES_LIST(head_view(&label_head), prefix, label, head_view(&context_head), context),
        bytes_of(NULL, 0), ciphertext, ret_plaintext);
}

/* struct { uint16 length; opaque label<V>; opaque context<V>; } KDFLabel, RFC 9420 8 */
struct err labelled_expand_into(const struct kdf_alg *alg, struct bytes secret, struct bytes prefix,
                                struct bytes label, struct bytes context, size_t len,
                                uint8_t *ret_out)
{
    TRY(check_sizes(prefix, label, context));
    if (len > UINT16_MAX)
        return ERR(CRYPTO_LENGTH);
    uint8_t length[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    struct head label_head = head_of(prefix.len + label.len);
    struct head context_head = head_of(context.len);
    return kdf_expand_into(alg, secret,
                           BYTES_LIST(bytes_of(length, sizeof length), head_view(&label_head),
                                      prefix, label, head_view(&context_head), context),
                           len, ret_out);
}

struct err labelled_expand(const struct kdf_alg *alg, struct bytes secret, struct bytes prefix,
                           struct bytes label, struct bytes context, size_t len,
                           struct secret *ret_out)
{
    if (len > SECRET_MAX_BYTES)
        return ERR(CRYPTO_LENGTH);
    struct secret out = {.len = len};
    struct err err = labelled_expand_into(alg, secret, prefix, label, context, len, out.data);
    if (err_is_ok(err))
        *ret_out = out;
    secret_clear(&out);
    return err;
}

struct err labelled_derive_secret(const struct kdf_alg *alg, struct bytes secret,
                                  struct bytes prefix, struct bytes label, struct secret *ret_out)
{
    return labelled_expand(alg, secret, prefix, label, bytes_of(NULL, 0), alg->hash->bytes,
                           ret_out);
}

struct err labelled_derive_tree_secret(const struct kdf_alg *alg, struct bytes secret,
                                       struct bytes prefix, struct bytes label, uint32_t generation,
                                       size_t len, struct secret *ret_out)
{
    uint8_t number[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
                         (uint8_t)(generation >> 8), (uint8_t)generation};
    return labelled_expand(alg, secret, prefix, label, bytes_of(number, sizeof number), len,
                           ret_out);
}
