#include "mls/member/welcome_open.h"

#include "crypto/labelled.h"
#include "mls/public/validate_leaf.h"

void welcome_opened_clear(struct welcome_opened *opened)
{
    buf_clear(&opened->secrets_text);
    buf_clear(&opened->info_text);
    secret_clear(&opened->joiner);
    secret_clear(&opened->psk);
}

static bool find_secrets(const struct welcome *welcome, struct bytes ref,
                         struct encrypted_group_secrets *ret_secrets)
{
    struct wire_reader it = welcome_begin(welcome);
    struct encrypted_group_secrets s;
    while (welcome_next(&it, &s)) {
        if (bytes_equal(s.new_member, ref)) {
            *ret_secrets = s;
            return true;
        }
    }
    return false;
}

static struct err parse_welcome(struct bytes message, struct welcome *ret_welcome)
{
    struct arena none;
    arena_init(&none, 0); /* a Welcome needs none */
    struct mls_message m;
    struct err err = mls_message_parse(message, &none, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_WELCOME)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err))
        *ret_welcome = m.welcome;
    arena_clear(&none);
    return err;
}

bool welcome_has(struct bytes welcome, struct bytes key_package_ref)
{
    struct welcome w;
    struct encrypted_group_secrets s;
    return err_is_ok(parse_welcome(welcome, &w)) && find_secrets(&w, key_package_ref, &s);
}

struct err welcome_split(struct bytes welcome, struct bytes key_package_ref,
                         struct buf *ret_welcome)
{
    struct mls_message m = {.wire_format = WIRE_FORMAT_WELCOME};
    struct encrypted_group_secrets s;
    TRY(parse_welcome(welcome, &m.welcome));
    if (!find_secrets(&m.welcome, key_package_ref, &s))
        return ERR(MLS_WELCOME_OTHERS);
    struct buf one = BUF_INIT;
    struct buf b = BUF_INIT;
    encrypted_group_secrets_write(&one, &s);
    m.welcome.secrets = buf_view(&one);
    m.welcome.secret_count = 1;
    mls_message_write(&b, &m);
    struct err err = err_is_ok(buf_check(&one)) ? buf_check(&b) : buf_check(&one);
    buf_clear(&one);
    if (err_is_ok(err))
        *ret_welcome = b;
    else
        buf_clear(&b);
    return err;
}

static struct err open_secrets(struct welcome_opened *j)
{
    struct digest ref;
    struct encrypted_group_secrets s;
    TRY(key_package_ref(buf_view(&j->bundle->key_package), &ref));
    /* RFC 9420 12.4.3.1: the entry whose new_member is the reference of our KeyPackage */
    if (!find_secrets(&j->welcome, digest_view(&ref), &s))
        return ERR(MLS_WELCOME_OTHERS);
    size_t len = s.secrets.ciphertext.len;
    if (len < AEAD_TAG_BYTES)
        return ERR(MLS_WELCOME_SECRETS);
    uint8_t *text = buf_extend(&j->secrets_text, len - AEAD_TAG_BYTES);
    TRY(buf_check(&j->secrets_text));
    TRY(validate_blame(labelled_decrypt(&j->suite->hpke, secret_view(&j->bundle->init_key),
                                        j->key_package.init_key, LABEL_MLS, bytes_str("Welcome"),
                                        j->welcome.encrypted_group_info, s.secrets.kem_output,
                                        s.secrets.ciphertext, text),
                       ERR_MLS_WELCOME_SECRETS));
    TRY(validate_blame(group_secrets_parse(buf_view(&j->secrets_text), &j->secrets),
                       ERR_MLS_WELCOME_SECRETS));
    size_t hash_bytes = suite_hash_bytes(j->suite);
    if (j->secrets.joiner_secret.len != hash_bytes ||
        (j->secrets.has_path_secret && j->secrets.path_secret.len != hash_bytes))
        return ERR(MLS_WELCOME_SECRETS);
    return secret_set(j->secrets.joiner_secret, &j->joiner);
}

/* RFC 9420 12.1.4, 12.4.3.1, 11.2, 11.3 */
static struct err check_psk(struct welcome_opened *j, const struct psk_id *id)
{
    if (id->nonce.len != suite_hash_bytes(j->suite))
        return ERR(MLS_PSK_NONCE);
    if (id->type != PSK_RESUMPTION || id->usage == PSK_USAGE_APPLICATION)
        return ERR_OK;
    /* only one, and only for who expects to follow that group */
    if (j->has_successor_psk || j->predecessor == NULL)
        return ERR(MLS_WELCOME_PSK);
    j->successor_psk = *id;
    j->has_successor_psk = true;
    return ERR_OK;
}

static bool psk_came_before(const struct welcome_opened *j, struct bytes encoded)
{
    struct wire_reader it = group_secrets_psks_begin(&j->secrets);
    struct psk_id id;
    for (;;) {
        const uint8_t *from = it.at;
        if (from == encoded.data || !group_secrets_psks_next(&it, &id))
            return false;
        if (bytes_equal(wire_reader_since(&it, from), encoded))
            return true;
    }
}

static struct err gather_psks(struct welcome_opened *j)
{
    struct psk_bag *bag;
    TRY(psk_bag_new(j->secrets.psk_count, &bag));
    struct wire_reader it = group_secrets_psks_begin(&j->secrets);
    struct psk_id id;
    struct err err = ERR_OK;
    const uint8_t *from = it.at;
    for (; group_secrets_psks_next(&it, &id); from = it.at) {
        struct bytes encoded = wire_reader_since(&it, from);
        TRY_OR(check_psk(j, &id), err, out);
        if (psk_came_before(j, encoded)) {
            err = ERR(MLS_PSK_TWICE);
            goto out;
        }
        TRY_OR(psk_bag_add(bag, j->client, j->predecessor, &id, encoded), err, out);
    }
    err = psk_bag_secret(bag, j->suite, &j->psk);
out:
    psk_bag_free(bag);
    return err;
}

static struct err open_info(struct welcome_opened *j)
{
    struct secret welcome_secret = {0};
    struct secret key = {0};
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct bytes sealed = j->welcome.encrypted_group_info;
    struct err err = ERR(MLS_WELCOME_SECRETS);
    if (sealed.len < AEAD_TAG_BYTES)
        return err;
    uint8_t *text = buf_extend(&j->info_text, sealed.len - AEAD_TAG_BYTES);
    TRY(buf_check(&j->info_text));
    TRY_OR(key_schedule_welcome(j->suite, &j->joiner, &j->psk, &welcome_secret), err, out);
    TRY_OR(key_schedule_welcome_key(j->suite, &welcome_secret, &key, nonce), err, out);
    TRY_OR(
        validate_blame(aead_open(j->suite->hpke.aead, &key, nonce, bytes_of(NULL, 0), sealed, text),
                       ERR_MLS_WELCOME_SECRETS),
        err, out);
    TRY_OR(group_info_parse(buf_view(&j->info_text), &j->info), err, out);
    if (j->info.group_context.cipher_suite != j->suite->id)
        err = ERR(MLS_WELCOME_SUITE);
out:
    secret_clear(&welcome_secret);
    secret_clear(&key);
    bytes_wipe(nonce, sizeof nonce);
    return err;
}

static struct err open_all(struct welcome_opened *j, struct bytes welcome)
{
    TRY(parse_welcome(welcome, &j->welcome));
    TRY(key_package_parse(buf_view(&j->bundle->key_package), &j->key_package));
    j->suite = suite_find(j->welcome.cipher_suite);
    if (j->suite == NULL || j->key_package.cipher_suite != j->suite->id)
        return ERR(MLS_WELCOME_SUITE);
    TRY(open_secrets(j));
    TRY(gather_psks(j));
    return open_info(j);
}

struct err welcome_open(const struct mls_client *client, const struct key_package_bundle *bundle,
                        const struct mls_group *predecessor, struct bytes welcome,
                        struct welcome_opened *ret_opened)
{
    struct welcome_opened opened = {.client = client, .bundle = bundle, .predecessor = predecessor};
    struct err err = open_all(&opened, welcome);
    if (err_is_ok(err))
        *ret_opened = opened; /* buffers move with their memory, so views stay good */
    else
        welcome_opened_clear(&opened);
    return err;
}
