#include "server/info/info.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "hearth/options.pb-c.h"
#include "hearth/v1/info_rpc.h"
#include "seal/server_key.h"
#include "server/info/inside.h"
#include "server/info/token_directory.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { DAY_S = 24 * 3600 };

struct info {
    const struct front_env *env;
    struct info_options options;
    pthread_mutex_t lock; /* guards keys and options.registration */
    struct keys keys;
};

/* ---- GetServerInfo */

/* Rows of limit.def that a client can run into by itself. */
static const enum limit shown[] = {
    LIMIT_CLIENTS_PER_USER,  LIMIT_INVITATION_DAYS,
    LIMIT_OFFER_DAYS,        LIMIT_HANDLE_DAYS,
    LIMIT_CREDENTIAL_DAYS,   LIMIT_GROUP_MEMBERS,
    LIMIT_GROUP_STATE_BYTES, LIMIT_GROUP_IDLE_DAYS,
    LIMIT_MEMBER_IDLE_DAYS,  LIMIT_PENDING_PROPOSALS,
    LIMIT_MESSAGE_BYTES,     LIMIT_QUEUE_ITEMS,
    LIMIT_QUEUE_BYTES,       LIMIT_QUEUE_DAYS,
    LIMIT_QUEUE_CLIENT_DAYS, LIMIT_QUEUE_CLIENTS_PER_USER,
    LIMIT_BLOCKED_TAGS,      LIMIT_REVOKED_CONTACTS,
    LIMIT_KEY_PACKAGES,      LIMIT_KEY_PACKAGE_BYTES,
    LIMIT_EXTENSIONS,        LIMIT_EXTENSION_BYTES,
    LIMIT_CREDENTIAL_BYTES,  LIMIT_GROUP_INFO_BYTES,
    LIMIT_ATTACHMENT_BYTES,  LIMIT_ATTACHMENT_DAYS,
    LIMIT_RELAY_BYTES,       LIMIT_AUTH_WINDOW_S,
};
enum { SHOWN = sizeof shown / sizeof shown[0] };

static bool add_limits(const struct info *info, struct hearth_call *call,
                       Hearth__V1__GetServerInfoResponse *out)
{
    const struct limits *limits = front_limits(info->env->front);
    Hearth__V1__Limit *rows = hearth_call_alloc(call, SHOWN * sizeof *rows);
    out->limits = hearth_call_alloc(call, SHOWN * sizeof *out->limits);
    if (rows == NULL || out->limits == NULL)
        return false;
    for (size_t i = 0; i < SHOWN; i++) {
        hearth__v1__limit__init(&rows[i]);
        rows[i].name = hearth_call_printf(call, "%s", limit_row(shown[i])->name);
        rows[i].value = limit_value(limits, shown[i]);
        out->limits[i] = &rows[i];
        if (rows[i].name == NULL)
            return false;
    }
    out->n_limits = SHOWN;
    return true;
}

static void fill_prices(struct front *front, Hearth__V1__TokenPrices *prices)
{
    hearth__v1__token_prices__init(prices);
    prices->low = front_price(front, HEARTH__COST__COST_LOW);
    prices->mid = front_price(front, HEARTH__COST__COST_MID);
    prices->high = front_price(front, HEARTH__COST__COST_HIGH);
    prices->block = front_price(front, HEARTH__COST__COST_BY_SIZE);
    prices->credits_per_token = (uint32_t)limit_value(front_limits(front), LIMIT_CREDITS_PER_TOKEN);
    prices->factor = front_price_factor(front);
}

static enum hearth_code get_server_info(struct hearth_call *call,
                                        const Hearth__V1__GetServerInfoRequest *in,
                                        Hearth__V1__GetServerInfoResponse *out, void *self)
{
    /* protocol.md 2: those of Hearth's own groups */
    static const uint32_t suites[] = {1, 2, 3, 5, 7};
    struct info *info = self;
    (void)in;
    out->domain = hearth_call_printf(call, "%s", info->env->domain);
    out->mls_suites = hearth_call_alloc(call, sizeof suites);
    if (out->domain == NULL || out->mls_suites == NULL || !add_limits(info, call, out))
        return front_fail(call, ERR(NO_MEMORY));
    memcpy(out->mls_suites, suites, sizeof suites);
    out->n_mls_suites = sizeof suites / sizeof suites[0];
    out->oldest_version =
        (uint32_t)limit_value(front_limits(info->env->front), LIMIT_CLIENT_VERSION_OLDEST);
    out->newest_version = INFO_PROTOCOL_VERSION;
    (void)pthread_mutex_lock(&info->lock);
    out->registration = (Hearth__V1__RegistrationPolicy)info->options.registration;
    (void)pthread_mutex_unlock(&info->lock);
    out->tokens_required = front_tokens(info->env->front);
    out->prices = hearth_call_alloc(call, sizeof *out->prices);
    if (out->prices == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    fill_prices(info->env->front, out->prices);
    return HEARTH_OK;
}

/* ---- GetKeys */

/* What an answer points to, beside its rows: too much for a call's arena. */
struct answer {
    struct buf keys, revocations;
};

static void free_answer(void *state)
{
    struct answer *answer = state;
    buf_clear(&answer->keys);
    buf_clear(&answer->revocations);
    free(answer);
}

/* Under the lock. */
static struct err add_keys(const struct keys *keys, struct hearth_call *call, struct answer *answer,
                           Hearth__V1__GetKeysResponse *out)
{
    Hearth__V1__ServerKey *rows = hearth_call_alloc(call, KEYS_MOST * sizeof *rows);
    out->keys = hearth_call_alloc(call, KEYS_MOST * sizeof *out->keys);
    buf_append_bytes(&answer->keys, buf_view(&keys->bytes));
    if (rows == NULL || out->keys == NULL || answer->keys.failed)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < keys->count; i++) {
        hearth__v1__server_key__init(&rows[i]);
        rows[i].use = keys->rows[i].use;
        rows[i].key =
            (ProtobufCBinaryData){keys->rows[i].len, answer->keys.data + keys->rows[i].from};
        out->keys[i] = &rows[i];
    }
    out->n_keys = keys->count;
    return ERR_OK;
}

static struct err add_revocations(const struct info *info, struct answer *answer,
                                  Hearth__V1__GetKeysResponse *out)
{
    if (info->options.revocations == NULL)
        return ERR_OK;
    TRY(info->options.revocations(info->options.revocations_self, &answer->revocations));
    out->revocations = (ProtobufCBinaryData){answer->revocations.len, answer->revocations.data};
    return buf_check(&answer->revocations);
}

static enum hearth_code get_keys(struct hearth_call *call, const Hearth__V1__GetKeysRequest *in,
                                 Hearth__V1__GetKeysResponse *out, void *self)
{
    struct info *info = self;
    struct answer *answer = calloc(1, sizeof *answer);
    (void)in;
    if (answer == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    hearth_call_set_state(call, answer, free_answer);
    (void)pthread_mutex_lock(&info->lock);
    struct err err = add_keys(&info->keys, call, answer, out);
    (void)pthread_mutex_unlock(&info->lock);
    if (err_is_ok(err))
        err = add_revocations(info, answer, out);
    return err_is_ok(err) ? HEARTH_OK : front_fail(call, err);
}

/* ---- asking the keeper */

static struct err sign(void *self, struct bytes label, struct bytes content,
                       struct signature *ret_signature)
{
    return keeper_sign(self, KEEPER_AS_SIGNING, false, label, content, ret_signature);
}

/* What was appended since `from` is a row of this use. */
static void end_row(struct keys *keys, Hearth__V1__KeyUse use, size_t from)
{
    keys->rows[keys->count].use = use;
    keys->rows[keys->count].from = from;
    keys->rows[keys->count].len = keys->bytes.len - from;
    keys->count++;
}

static struct err add_credential(struct keeper *keeper, enum keeper_signer signer,
                                 Hearth__V1__KeyUse use, struct keys *keys)
{
    size_t from = keys->bytes.len;
    TRY(keeper_credential(keeper, signer, &keys->bytes));
    end_row(keys, use, from);
    return buf_check(&keys->bytes);
}

/* The signing credential was appended last. */
static struct err add_statement(const struct info *info, const struct public_key *key,
                                Hearth__V1__KeyUse use, uint16_t algorithm,
                                struct bytes signing_bytes, struct keys *keys)
{
    const struct credential_signer signer = {sign, info->env->keeper};
    struct credential signing;
    TRY(credential_parse(signing_bytes, &signing));
    uint64_t now = clock_unix_ms(info->env->clock) / 1000, day = now - now % DAY_S;
    struct server_key fields = {
        .use = (uint8_t)use,
        .algorithm = algorithm,
        .not_before = day > signing.not_before ? day : signing.not_before,
        .not_after = day + INFO_KEY_DAYS * DAY_S,
        .domain = bytes_str(info->env->domain),
        .public_key = public_key_view(key),
    };
    if (fields.not_after > signing.not_after)
        fields.not_after = signing.not_after;
    size_t from = keys->bytes.len;
    TRY(server_key_make(&keys->bytes, &fields, &signing, &signer));
    end_row(keys, use, from);
    return ERR_OK;
}

/* Those for new groups, Ed25519's first. */
static struct err add_externals(const struct info *info, struct bytes signing, struct keys *keys)
{
    struct keeper_external external[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    TRY(keeper_external_keys(info->env->keeper, external, &count));
    for (size_t i = 0; i < count && external[i].present; i++)
        TRY(add_statement(info, &external[i].key, HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER,
                          external[i].scheme, signing, keys));
    return ERR_OK;
}

/* A statement about the directory's hash stands before it: struct { opaque statement<V>; opaque
 * directory<V>; } */
static struct err add_tokens(const struct info *info, struct bytes signing, struct keys *keys)
{
    struct keys statement = {.count = 0};
    struct buf directory = BUF_INIT;
    struct digest digest;
    struct public_key hash = {.len = 32};
    struct err err = token_directory_write(info->env, &info->options, &directory);
    if (err_is_ok(err)) {
        hash_once(&hash_sha256, buf_view(&directory), &digest);
        memcpy(hash.data, digest.data, hash.len);
        err = add_statement(info, &hash, HEARTH__V1__KEY_USE__KEY_USE_TOKENS, SERVER_KEY_SHA256,
                            signing, &statement);
    }
    if (err_is_ok(err)) {
        const size_t from = keys->bytes.len;
        wire_write_vector(&keys->bytes, buf_view(&statement.bytes));
        wire_write_vector(&keys->bytes, buf_view(&directory));
        end_row(keys, HEARTH__V1__KEY_USE__KEY_USE_TOKENS, from);
        err = buf_check(&keys->bytes);
    }
    buf_clear(&statement.bytes);
    buf_clear(&directory);
    return err;
}

static struct err ask_keeper(const struct info *info, struct keys *keys)
{
    static const struct {
        enum keeper_signer signer;
        Hearth__V1__KeyUse use;
    } signers[] = {
        {KEEPER_FEDERATION, HEARTH__V1__KEY_USE__KEY_USE_FEDERATION},
        {KEEPER_LOG, HEARTH__V1__KEY_USE__KEY_USE_LOG},
    };
    struct keeper *keeper = info->env->keeper;
    struct public_key key;
    uint8_t signing_bytes[CREDENTIAL_MAX_BYTES];
    TRY(add_credential(keeper, KEEPER_AS_ROOT, HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT, keys));
    size_t from = keys->bytes.len;
    TRY(add_credential(keeper, KEEPER_AS_SIGNING, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING, keys));
    struct bytes signing = bytes_of(signing_bytes, keys->bytes.len - from);
    if (signing.len > sizeof signing_bytes)
        return ERR(CREDENTIAL);
    memcpy(signing_bytes, keys->bytes.data + from, signing.len); /* the buffer moves as it grows */
    TRY(keeper_queue_key(keeper, &key));
    TRY(add_statement(info, &key, HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING, SERVER_KEY_X25519,
                      signing, keys));
    for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++) {
        TRY(keeper_public(keeper, signers[i].signer, &key));
        TRY(add_statement(info, &key, signers[i].use, SERVER_KEY_ED25519, signing, keys));
    }
    TRY(add_externals(info, signing, keys));
    return add_tokens(info, signing, keys);
}

/* After all others: the first one of a use is the current one. */
static struct err add_previous(const struct info *info, struct keys *keys)
{
    struct buf previous = BUF_INIT;
    if (info->options.previous == NULL)
        return ERR_OK;
    struct err err = info->options.previous(info->options.previous_self, &previous);
    struct wire_reader r = wire_reader_of(buf_view(&previous));
    for (unsigned i = 0; err_is_ok(err) && i < INFO_PREVIOUS_MOST && wire_reader_left(&r) > 0;
         i++) {
        size_t from = keys->bytes.len;
        buf_append_bytes(&keys->bytes, wire_read_vector(&r));
        err = wire_reader_check(&r);
        end_row(keys, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING, from);
    }
    buf_clear(&previous);
    return err_is_ok(err) ? buf_check(&keys->bytes) : err;
}

struct err info_refresh(struct info *info)
{
    struct keys fresh = {.count = 0}, old;
    struct err err = ask_keeper(info, &fresh);
    if (err_is_ok(err))
        err = add_previous(info, &fresh);
    struct err logged = ERR_OK;
    if (err_is_ok(err) && info->options.publish != NULL)
        logged = keys_publish(&fresh, &info->options);
    /* with none to fall back on these will have to do: clients see that the log lacks them */
    if (err_is_ok(err) && info->keys.count > 0)
        err = logged;
    if (!err_is_ok(err)) {
        buf_clear(&fresh.bytes);
        return err;
    }
    (void)pthread_mutex_lock(&info->lock);
    old = info->keys;
    info->keys = fresh;
    (void)pthread_mutex_unlock(&info->lock);
    buf_clear(&old.bytes);
    return ERR_OK;
}

/* ---- life */

struct err info_open(struct front_env *env, const struct info_options *options,
                     struct info **ret_info)
{
    struct info *info = calloc(1, sizeof *info);
    if (info == NULL)
        return ERR(NO_MEMORY);
    info->env = env;
    info->options = *options;
    if (pthread_mutex_init(&info->lock, NULL) != 0) {
        free(info);
        return ERR(NO_MEMORY);
    }
    struct err err = info_refresh(info);
    if (!err_is_ok(err)) {
        info_close(info);
        return err;
    }
    *ret_info = info;
    return ERR_OK;
}

void info_set_registration(struct info *info, enum info_registration registration)
{
    (void)pthread_mutex_lock(&info->lock);
    info->options.registration = registration;
    (void)pthread_mutex_unlock(&info->lock);
}

struct err info_add(struct info *info, struct hearth_server *server)
{
    static const struct hearth_info_service service = {
        .get_server_info = get_server_info,
        .get_keys = get_keys,
    };
    return hearth_server_add_info(server, &service, info) ? ERR_OK : ERR(NO_MEMORY);
}

void info_close(struct info *info)
{
    if (info == NULL)
        return;
    (void)pthread_mutex_destroy(&info->lock);
    buf_clear(&info->keys.bytes);
    free(info);
}
