#include "mls/member/welcome_protection.h"

#include "base/arena.h"
#include "crypto/labelled.h"

static const struct bytes none;

static struct bytes label(void)
{
    return bytes_str("Welcome");
}

struct err welcome_key_package_ref(const struct suite *suite, struct bytes key_package,
                                   struct digest *ret_ref)
{
    return labelled_ref_hash(suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"), key_package,
                             ret_ref);
}

struct err welcome_seal_group_info(const struct suite *suite, const struct secret *welcome_secret,
                                   struct bytes group_info, struct buf *b)
{
    struct secret key = {0};
    uint8_t nonce[AEAD_NONCE_BYTES];
    TRY(key_schedule_welcome_key(suite, welcome_secret, &key, nonce));
    size_t before = b->len;
    uint8_t *room = buf_extend(b, group_info.len + AEAD_TAG_BYTES);
    struct err err = room == NULL
                         ? buf_check(b)
                         : aead_seal(suite->hpke.aead, &key, nonce, none, group_info, room);
    if (!err_is_ok(err))
        b->len = before;
    secret_clear(&key);
    return err;
}

struct err welcome_seal_info(const struct suite *suite, struct bytes encrypted_group_info,
                             struct hpke_info *ret_info)
{
    return labelled_encrypt_info(&suite->hpke, LABEL_MLS, label(), encrypted_group_info, ret_info);
}

struct err welcome_seal_secrets_with(const struct hpke_info *info, const struct rng *rng,
                                     struct bytes key_package_ref, struct bytes init_key,
                                     struct bytes secrets, struct buf *b)
{
    struct buf sealed = BUF_INIT;
    struct public_key kem_output;
    size_t before = b->len;
    struct err err;
    uint8_t *room = buf_extend(&sealed, secrets.len + AEAD_TAG_BYTES);
    TRY_OR(buf_check(&sealed), err, out);
    TRY_OR(hpke_seal_with(info, rng, init_key, none, secrets, &kem_output, room), err, out);
    struct encrypted_group_secrets entry = {
        .new_member = key_package_ref,
        .secrets = {.kem_output = public_key_view(&kem_output), .ciphertext = buf_view(&sealed)}};
    encrypted_group_secrets_write(b, &entry);
    err = buf_check(b);
    if (!err_is_ok(err))
        b->len = before;
out:
    buf_clear(&sealed);
    return err;
}

struct err welcome_seal_secrets(const struct suite *suite, const struct rng *rng,
                                struct bytes key_package_ref, struct bytes init_key,
                                struct bytes secrets, struct bytes encrypted_group_info,
                                struct buf *b)
{
    struct hpke_info info;
    TRY(welcome_seal_info(suite, encrypted_group_info, &info));
    return welcome_seal_secrets_with(&info, rng, key_package_ref, init_key, secrets, b);
}

bool welcome_find(const struct welcome *welcome, struct bytes key_package_ref,
                  struct encrypted_group_secrets *ret_entry)
{
    struct wire_reader it = welcome_begin(welcome);
    struct encrypted_group_secrets entry;
    while (welcome_next(&it, &entry)) {
        if (bytes_equal(entry.new_member, key_package_ref)) {
            *ret_entry = entry;
            return true;
        }
    }
    return false;
}

/* Room for what a ciphertext holds; ERR_CRYPTO_TAG when it can't hold a tag. */
static struct err text_room(struct bytes ciphertext, struct arena *a, uint8_t **ret_text,
                            size_t *ret_len)
{
    if (ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    *ret_len = ciphertext.len - AEAD_TAG_BYTES;
    *ret_text = arena_alloc(a, *ret_len);
    return *ret_text == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

struct err welcome_open_secrets(const struct suite *suite, const struct welcome *welcome,
                                struct bytes key_package_ref, struct bytes init_private,
                                struct bytes init_public, struct arena *a,
                                struct group_secrets *ret_secrets)
{
    struct encrypted_group_secrets entry;
    if (!welcome_find(welcome, key_package_ref, &entry))
        return ERR(MLS_WELCOME_NOT_FOR_US);
    uint8_t *text;
    size_t len;
    TRY(text_room(entry.secrets.ciphertext, a, &text, &len));
    TRY(labelled_decrypt(&suite->hpke, init_private, init_public, LABEL_MLS, label(),
                         welcome->encrypted_group_info, entry.secrets.kem_output,
                         entry.secrets.ciphertext, text));
    return group_secrets_parse(bytes_of(text, len), ret_secrets);
}

struct err welcome_open_group_info(const struct suite *suite, const struct welcome *welcome,
                                   struct bytes joiner_secret, const struct secret *psk_secret,
                                   struct arena *a, struct group_info *ret_info)
{
    if (joiner_secret.len != suite_hash_bytes(suite))
        return ERR(ARGUMENT);
    uint8_t *text;
    size_t len;
    TRY(text_room(welcome->encrypted_group_info, a, &text, &len));
    struct secret joiner = {0}, welcome_secret = {0}, key = {0};
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct err err;
    TRY_OR(secret_set(joiner_secret, &joiner), err, out);
    TRY_OR(key_schedule_welcome(suite, &joiner, psk_secret, &welcome_secret), err, out);
    TRY_OR(key_schedule_welcome_key(suite, &welcome_secret, &key, nonce), err, out);
    TRY_OR(aead_open(suite->hpke.aead, &key, nonce, none, welcome->encrypted_group_info, text), err,
           out);
    err = group_info_parse(bytes_of(text, len), ret_info);
out:
    secret_clear(&joiner);
    secret_clear(&welcome_secret);
    secret_clear(&key);
    return err;
}
