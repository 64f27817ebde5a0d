#include "mls/member/welcome_open.h"

#include "mls/member/welcome_protection.h"
#include "mls/public/validate_leaf.h"

void welcome_opened_clear(struct welcome_opened *opened)
{
    arena_clear(&opened->arena);
    secret_clear(&opened->joiner);
    secret_clear(&opened->psk);
}

static struct err parse_welcome(struct bytes message, struct welcome *ret_welcome)
{
    /* first, since other messages would not find the arena they need */
    struct wire_reader r = wire_reader_of(message);
    uint16_t version = wire_read_u16(&r);
    if (version == MLS_VERSION_MLS10 && wire_read_u16(&r) != WIRE_FORMAT_WELCOME &&
        err_is_ok(wire_reader_check(&r)))
        return ERR(MLS_WIRE_FORMAT);
    struct arena none;
    arena_init(&none, 0); /* a Welcome needs none */
    struct mls_message m;
    struct err err = mls_message_parse(message, &none, &m);
    if (err_is_ok(err))
        *ret_welcome = m.welcome;
    arena_clear(&none);
    return err;
}

bool welcome_has(struct bytes welcome, struct bytes key_package_ref)
{
    struct welcome w;
    struct encrypted_group_secrets s;
    return err_is_ok(parse_welcome(welcome, &w)) && welcome_find(&w, key_package_ref, &s);
}

struct err welcome_split(struct bytes welcome, struct bytes key_package_ref,
                         struct buf *ret_welcome)
{
    struct mls_message m = {.wire_format = WIRE_FORMAT_WELCOME};
    struct encrypted_group_secrets s;
    TRY(parse_welcome(welcome, &m.welcome));
    if (!welcome_find(&m.welcome, key_package_ref, &s))
        return ERR(MLS_WELCOME_NOT_FOR_US);
    struct buf one = BUF_INIT;
    struct buf b = BUF_INIT;
    encrypted_group_secrets_write(&one, &s);
    m.welcome.secrets = buf_view(&one);
    m.welcome.secret_count = 1;
    mls_message_write(&b, &m);
    struct err err = one.failed ? buf_check(&one) : buf_check(&b);
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
    struct encrypted_group_secrets entry;
    TRY(welcome_key_package_ref(j->suite, buf_view(&j->bundle->key_package), &ref));
    /* RFC 9420 12.4.3.1: the entry whose new_member is the reference of our KeyPackage */
    if (!welcome_find(&j->welcome, digest_view(&ref), &entry))
        return ERR(MLS_WELCOME_NOT_FOR_US);
    TRY(validate_blame(welcome_open_secrets(j->suite, &j->welcome, digest_view(&ref),
                                            secret_view(&j->bundle->init_key),
                                            j->key_package.init_key, &j->arena, &j->secrets),
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
    TRY(validate_blame(welcome_open_group_info(j->suite, &j->welcome, j->secrets.joiner_secret,
                                               &j->psk, &j->arena, &j->info),
                       ERR_MLS_WELCOME_SECRETS));
    return j->info.group_context.cipher_suite == j->suite->id ? ERR_OK : ERR(MLS_WELCOME_SUITE);
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

enum { ARENA_FLOOR_BYTES = 4096 };

struct err welcome_open(const struct mls_client *client, const struct key_package_bundle *bundle,
                        const struct mls_group *predecessor, struct bytes welcome,
                        struct welcome_opened *ret_opened)
{
    struct welcome_opened opened = {.client = client, .bundle = bundle, .predecessor = predecessor};
    arena_init(&opened.arena, 2 * welcome.len + ARENA_FLOOR_BYTES); /* plaintexts are shorter */
    struct err err = open_all(&opened, welcome);
    if (err_is_ok(err))
        *ret_opened = opened; /* what the arena handed out stays where it is */
    else
        welcome_opened_clear(&opened);
    return err;
}
