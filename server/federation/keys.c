/* A peer's federation key: GetKeys, over TLS to its domain, verified up to the root that was pinned
 * at first sight, and found in the peer's log (logged.c), as are the keys of its vouchers. */
#include <stdlib.h>

#include "pass/key_rules.h"
#include "seal/server_key.h"
#include "server/federation/inside.h"

enum { KEYS_ROWS_MOST = 64 };

struct fetch {
    struct reach reach; /* first */
    struct peer *peer;  /* held */
    struct hearth_channel *channel;
    struct told_keys told;
};

static struct bytes row(const Hearth__V1__GetKeysResponse *in, Hearth__V1__KeyUse use)
{
    for (size_t i = 0; i < in->n_keys && i < KEYS_ROWS_MOST; i++)
        if (in->keys[i]->use == use)
            return bytes_of(in->keys[i]->key.data, in->keys[i]->key.len);
    return bytes_of(NULL, 0);
}

/* struct { opaque statement<V>; opaque directory<V>; }, the statement about the directory's hash.
 */
static struct err read_directory(struct bytes in, const struct credential *signing,
                                 struct bytes domain, uint64_t now_s,
                                 struct pass_directory *ret_directory)
{
    struct server_key key;
    struct digest digest;
    struct wire_reader r = wire_reader_of(in);
    struct bytes statement = wire_read_vector(&r), directory = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    TRY(server_key_read(statement, signing, &key));
    hash_once(&hash_sha256, directory, &digest);
    if (key.use != HEARTH__V1__KEY_USE__KEY_USE_TOKENS || key.algorithm != SERVER_KEY_SHA256 ||
        !bytes_equal(key.domain, domain) || !bytes_equal(key.public_key, digest_view(&digest)) ||
        now_s < key.not_before || now_s > key.not_after)
        return ERR(CREDENTIAL);
    TRY(pass_directory_parse(directory, ret_directory));
    return bytes_equal(ret_directory->issuer, domain) ? ERR_OK : ERR(PASS_DIRECTORY);
}

/* Who has none, or a directory that is wrong, gives no vouchers; batches are taken all the same. */
static void read_vouchers(struct bytes in, const struct credential *signing, struct bytes domain,
                          uint64_t now_s, struct voucher_keys *ret_keys)
{
    struct pass_directory directory;
    struct pass_directory_key key;
    ret_keys->count = 0;
    ret_keys->refused = false;
    if (!err_is_ok(read_directory(in, signing, domain, now_s, &directory)))
        return;
    struct wire_reader r = wire_reader_of(directory.keys);
    while (pass_directory_next(&r, &key) && ret_keys->count < VOUCHER_KEYS_MOST) {
        uint64_t not_before, not_after;
        if (key.token_type != PASS_TYPE_VOUCHER || key.public_key.len != BLIND_RSA_PUBLIC_BYTES ||
            !pass_key_interval(key.token_type, key.period, &not_before, &not_after) ||
            key.not_before != not_before || key.not_after != not_after)
            continue;
        size_t n = ret_keys->count++;
        ret_keys->keys[n].class = key.class;
        ret_keys->keys[n].pending = false;
        ret_keys->keys[n].week = key.period;
        memcpy(ret_keys->keys[n].spki, key.public_key.data, BLIND_RSA_PUBLIC_BYTES);
    }
}

/* The first row of each use is the current one (info.proto). */
struct err keys_verify(const Hearth__V1__GetKeysResponse *in, struct bytes domain, uint64_t now_s,
                       struct told_keys *ret_told)
{
    struct credential root, signing;
    struct server_key key;
    TRY(credential_parse(row(in, HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT), &root));
    TRY(credential_parse(row(in, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    if (root.kind != CREDENTIAL_AS_ROOT || !bytes_equal(root.subject, domain))
        return ERR(CREDENTIAL);
    TRY(credential_verify(&root, NULL));
    TRY(credential_chain_verify(&root, &signing, NULL, now_s));
    TRY(server_key_read(row(in, HEARTH__V1__KEY_USE__KEY_USE_FEDERATION), &signing, &key));
    if (key.use != HEARTH__V1__KEY_USE__KEY_USE_FEDERATION || !bytes_equal(key.domain, domain) ||
        key.algorithm != SERVER_KEY_ED25519 || key.public_key.len != 32)
        return ERR(CREDENTIAL);
    if (now_s < key.not_before || now_s > key.not_after)
        return ERR(CREDENTIAL_TIME);
    credential_fingerprint(root.whole, ret_told->root);
    memcpy(ret_told->key.data, key.public_key.data, 32);
    ret_told->key.len = 32;
    ret_told->from_s = key.not_before;
    ret_told->until_s = key.not_after;
    read_vouchers(row(in, HEARTH__V1__KEY_USE__KEY_USE_TOKENS), &signing, domain, now_s,
                  &ret_told->vouchers);
    return ERR_OK;
}

/* Under the lock. */
static void keep_vouchers(struct peer *peer, const struct voucher_keys *keys)
{
    if ((keys->count > 0 || keys->refused) && peer->vouchers == NULL)
        peer->vouchers = malloc(sizeof *peer->vouchers);
    if (peer->vouchers != NULL)
        *peer->vouchers = *keys;
}

void keys_set(struct peer *peer, const struct told_keys *told)
{
    if (peer->pinned && memcmp(peer->pin, told->root, sizeof peer->pin) != 0) {
        free(peer->vouchers); /* what the root before has signed is worth nothing */
        peer->vouchers = NULL;
        peer_log_forget(peer); /* that root's */
    }
    memcpy(peer->pin, told->root, sizeof peer->pin);
    peer->pinned = peer->known = true;
    peer->key = told->key;
    peer->key_from_s = told->from_s;
    peer->key_until_s = told->until_s;
    if (peer->since_s == 0)
        peer->since_s = clock_unix_ms(peer->federation->env->clock) / 1000;
    keep_vouchers(peer, &told->vouchers);
    free(peer->offered);
    peer->offered = NULL;
}

/* Another root than before is somebody else, until the operator says that it is not. */
static struct err keep_offer(struct peer *peer, const struct told_keys *told)
{
    if (peer->offered == NULL)
        peer->offered = malloc(sizeof *peer->offered);
    if (peer->offered != NULL)
        *peer->offered = *told;
    return peer->offered != NULL ? ERR(FEDERATION_ROOT) : ERR(NO_MEMORY);
}

static struct err take(struct peer *peer, const struct told_keys *told)
{
    struct federation *f = peer->federation;
    struct err err = ERR_OK;
    federation_lock(f);
    if (peer->pinned && memcmp(peer->pin, told->root, sizeof peer->pin) != 0) {
        err = keep_offer(peer, told);
    } else {
        keys_set(peer, told);
        kept_save(peer);
    }
    federation_unlock(f);
    if (err.code == ERR_FEDERATION_ROOT)
        front_log(f->env->front, "level=warn event=peer_other_root");
    return err;
}

/* It was there, and who it must be: as good as a call of its own. Such a call is what often has us
 * ask for keys, and it was answered that it is to come again, which a greeting does not. */
static void tell_contact(const struct peer *peer)
{
    const struct federation_options *o = &peer->federation->options;
    if (o->contact != NULL && !peer->federation->stopped)
        o->contact(o->contact_self, bytes_str(peer->domain));
}

static void end(struct fetch *fetch, struct err err, const char *text)
{
    struct peer *peer = fetch->peer;
    struct federation *f = peer->federation;
    if (err_is_ok(err))
        tell_contact(peer);
    federation_lock(f);
    peer->fetching = false;
    peer->fetches++;
    uint64_t wait_s = KEYS_AGAIN_S;
    if (err_is_ok(err)) {
        peer->fetch_failures = 0;
        peer->fetch_why[0] = '\0';
    } else {
        uint32_t doublings = peer->fetch_failures < 10 ? peer->fetch_failures : 10;
        peer->fetch_failures++;
        wait_s = (uint64_t)KEYS_RETRY_S << doublings;
        wait_s = wait_s < KEYS_RETRY_MOST_S ? wait_s : KEYS_RETRY_MOST_S;
        peer_say(peer->fetch_why, err_text(err), text);
    }
    peer->fetch_again_us = federation_now_us(f) + wait_s * 1000000;
    peer_put(peer);
    federation_unlock(f);
    free(fetch);
}

static void on_logged(void *arg, struct err err, const char *text)
{
    struct fetch *fetch = arg;
    end(fetch, err_is_ok(err) ? take(fetch->peer, &fetch->told) : err, text);
}

static void on_keys(const struct hearth_status *status, const Hearth__V1__GetKeysResponse *out,
                    void *arg)
{
    struct fetch *fetch = arg;
    if (out != NULL) {
        struct peer *peer = fetch->peer;
        uint64_t now_s = clock_unix_ms(peer->federation->env->clock) / 1000;
        struct err err = keys_verify(out, bytes_str(peer->domain), now_s, &fetch->told);
        if (err_is_ok(err) && peer->channel != fetch->channel)
            err = ERR(CANCELLED); /* somebody has closed it meanwhile */
        if (err_is_ok(err))
            logged_check(peer, fetch->channel, &fetch->told, on_logged, fetch);
        else
            end(fetch, err, NULL);
        return;
    }
    if (!fetch->peer->federation->stopped)
        peer_unreach(fetch->peer, fetch->channel);
    end(fetch, ERR(FEDERATION_PEER), status->message);
}

static void ready(struct reach *reach, struct peer *peer, struct err result)
{
    struct fetch *fetch = (struct fetch *)(void *)reach;
    const Hearth__V1__GetKeysRequest in = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    const struct hearth_call_options options = {.deadline_ms = KEYS_MS, .no_retry = true};
    fetch->channel = peer->channel;
    if (err_is_ok(result) &&
        hearth_info_get_keys_start(peer->channel, &options, &in, on_keys, fetch) == NULL)
        result = ERR(NO_MEMORY);
    if (!err_is_ok(result))
        end(fetch, result, NULL);
}

static void on_loop(void *arg)
{
    struct fetch *fetch = arg;
    peer_reach(fetch->peer, &fetch->reach);
}

void peer_want_keys(struct peer *peer)
{
    struct federation *f = peer->federation;
    if (peer->fetching || federation_now_us(f) < peer->fetch_again_us)
        return;
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL)
        return;
    fetch->reach.ready = ready;
    fetch->peer = peer;
    if (!hearth_loop_post(f->options.loop, on_loop, fetch)) {
        free(fetch);
        return;
    }
    peer->refs++;
    peer->fetching = true;
}

bool peer_has_key(const struct peer *peer)
{
    uint64_t now_s = clock_unix_ms(peer->federation->env->clock) / 1000;
    return peer->key.len > 0 && now_s <= peer->key_until_s;
}

/* ---- vouchers */

static struct err find_voucher(const struct peer *peer, uint8_t class, uint32_t week,
                               uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES])
{
    const struct voucher_keys *keys = peer->vouchers;
    for (size_t i = 0; keys != NULL && i < keys->count; i++) {
        if (keys->keys[i].class != class || keys->keys[i].week != week)
            continue;
        if (keys->keys[i].pending)
            return ERR(FEDERATION_KEYS);
        memcpy(ret_spki, keys->keys[i].spki, BLIND_RSA_PUBLIC_BYTES);
        return ERR_OK;
    }
    return keys != NULL && keys->refused ? ERR(PASS_KEY_UNKNOWN) : ERR(PASS_KEY);
}

/* Under the lock. Has nobody been able to ask it, or is it being asked now? What we don't have may
 * be there then: they are not kept over a restart, and there is a new one each week. */
static bool may_have_others(const struct peer *peer)
{
    return peer->fetching || peer->fetches == 0 || peer->fetch_failures > 0;
}

struct err federation_voucher_key(void *federation, struct bytes domain, uint8_t class,
                                  uint32_t week, uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct federation *f = federation;
    struct err err = ERR(FEDERATION_REFUSED);
    federation_lock(f);
    bool admitted = policy_admits(f->policy, domain);
    struct peer *peer = admitted ? peer_find(f, domain) : NULL;
    bool known = peer != NULL && peer_has_key(peer);
    if (known) {
        err = find_voucher(peer, class, week, ret_spki);
        if (!err_is_ok(err))
            peer_want_keys(peer); /* perhaps it has a new one: seen by who comes again */
        if (err.code == ERR_PASS_KEY && may_have_others(peer))
            err = ERR(FEDERATION_KEYS);
    }
    federation_unlock(f);
    return known || !admitted ? err : federation_introduce(f, domain, bytes_str("voucher"));
}
