#include "server/keeper/keyring.h"

#include <sys/mman.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    VERSION_1 = 1, /* read, not written */
    VERSION_2 = 2, /* the same */
    VERSION_3 = 3,
    VERSION = 4,
    SEED_BYTES = 32, /* Ed25519 and X25519 private keys */
    DIGEST_BYTES = 32,
    HOUR_S = 3600,
    DAY_S = 86400,
    YEAR_S = 31557600,
    ROOT_YEARS = 10, /* protocol.md 3 */
};
#define MAGIC bytes_str("hearthky")

struct err keyring_new(struct keyring **ret_ring)
{
    TRY(crypto_init());
    void *pages = mmap(NULL, sizeof(struct keyring), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return ERR(NO_MEMORY);
    if (mlock(pages, sizeof(struct keyring)) != 0 ||
        madvise(pages, sizeof(struct keyring), MADV_DONTDUMP) != 0) {
        munmap(pages, sizeof(struct keyring));
        return ERR(NO_MEMORY);
    }
    *ret_ring = pages;
    return ERR_OK;
}

void keyring_free(struct keyring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < KEEPER_SIGNERS; i++)
        sig_key_clear(&ring->signers[i]);
    bytes_wipe(ring, sizeof *ring);
    munmap(ring, sizeof *ring);
}

static uint64_t now_s(const struct clock *clock)
{
    return clock_unix_ms(clock) / 1000;
}

static struct bytes bytes_kept(const struct keyring_bytes *b)
{
    return bytes_of(b->data, b->len);
}

static struct err keep(struct keyring_bytes *kept, const struct buf *b)
{
    TRY(buf_check(b));
    if (b->len > sizeof kept->data)
        return ERR(TOO_LARGE);
    memcpy(kept->data, b->data, b->len);
    kept->len = b->len;
    return ERR_OK;
}

/* Clocks of clients are off by some minutes, so validity begins an hour ago. */
static struct credential validity(const struct clock *clock, uint64_t years)
{
    uint64_t now = now_s(clock);
    return (struct credential){.not_before = now < HOUR_S ? 0 : now - HOUR_S,
                               .not_after = now + years * YEAR_S};
}

static struct err make_root(struct keyring *ring, const struct clock *clock)
{
    struct credential_signer root = credential_signer_of(&ring->signers[KEEPER_AS_ROOT]);
    struct credential fields = validity(clock, ROOT_YEARS);
    struct buf b = BUF_INIT;
    fields.kind = CREDENTIAL_AS_ROOT;
    fields.subject = bytes_of(ring->domain, ring->domain_len);
    fields.public_key = public_key_view(&ring->signers[KEEPER_AS_ROOT].public_key);
    struct err err = credential_make(&b, &fields, NULL, &root);
    if (err_is_ok(err))
        err = keep(&ring->root, &b);
    buf_clear(&b);
    return err;
}

static struct err make_signing(struct keyring *ring, const struct clock *clock)
{
    struct credential root_credential;
    struct credential_signer root = credential_signer_of(&ring->signers[KEEPER_AS_ROOT]);
    struct credential fields = validity(clock, 1);
    struct buf b = BUF_INIT;
    TRY(credential_parse(bytes_kept(&ring->root), &root_credential));
    fields.kind = CREDENTIAL_AS_SIGNING;
    fields.subject = bytes_of(ring->domain, ring->domain_len);
    fields.public_key = public_key_view(&ring->signers[KEEPER_AS_SIGNING].public_key);
    if (fields.not_before < root_credential.not_before)
        fields.not_before = root_credential.not_before;
    if (fields.not_after > root_credential.not_after)
        fields.not_after = root_credential.not_after;
    struct err err = credential_make(&b, &fields, &root_credential, &root);
    if (err_is_ok(err))
        err = keep(&ring->signing, &b);
    buf_clear(&b);
    return err;
}

static struct err set_domain(struct keyring *ring, struct bytes domain)
{
    if (domain.len == 0 || domain.len > sizeof ring->domain)
        return ERR(DOMAIN);
    memcpy(ring->domain, domain.data, domain.len);
    ring->domain_len = domain.len;
    return ERR_OK;
}

static struct err generate_queue_key(struct keyring *ring, const struct rng *rng)
{
    return kem_generate(seal_hpke->kem, rng, &ring->queue.private_key, &ring->queue.public_key);
}

struct err keyring_generate(struct keyring *ring, struct bytes domain, const struct clock *clock,
                            const struct rng *rng)
{
    TRY(set_domain(ring, domain));
    TRY(rng_fill(rng, ring->master, sizeof ring->master));
    for (size_t i = 0; i < KEEPER_SIGNERS; i++)
        TRY(sig_key_generate(&sig_ed25519, rng, &ring->signers[i]));
    TRY(generate_queue_key(ring, rng));
    TRY(externals_generate(&ring->externals, rng));
    TRY(pass_master_new(rng, keyring_token_day(clock), &ring->tokens));
    TRY(make_root(ring, clock));
    return make_signing(ring, clock);
}

static void keys_digest(struct bytes keys, struct digest *ret_digest)
{
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 KeyFile"), keys), ret_digest);
}

struct err keyring_write(const struct keyring *ring, struct buf *b)
{
    size_t from = b->len;
    wire_write_fixed(b, MAGIC);
    wire_write_u8(b, VERSION);
    wire_write_vector(b, bytes_of(ring->domain, ring->domain_len));
    wire_write_fixed(b, bytes_of(ring->master, sizeof ring->master));
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < KEEPER_SIGNERS; i++)
        wire_write_fixed(b, secret_view(&ring->signers[i].private_key));
    wire_vector_end(b, mark);
    wire_write_fixed(b, secret_view(&ring->queue.private_key));
    mark = wire_vector_begin(b);
    for (size_t i = 0; i < KEEPER_QUEUE_BEFORE && ring->queue_before[i].private_key.len > 0; i++) {
        wire_write_fixed(b, secret_view(&ring->queue_before[i].private_key));
        wire_write_u64(b, ring->queue_before[i].retired_s);
    }
    wire_vector_end(b, mark);
    wire_write_vector(b, bytes_kept(&ring->root));
    wire_write_vector(b, bytes_kept(&ring->signing));
    externals_write(b, &ring->externals);
    wire_write_u32(b, ring->tokens.period);
    wire_write_fixed(b, bytes_of(ring->tokens.secret, sizeof ring->tokens.secret));
    TRY(buf_check(b));
    struct digest digest;
    keys_digest(bytes_of(b->data + from, b->len - from), &digest);
    wire_write_fixed(b, digest_view(&digest));
    return buf_check(b);
}

static struct err load_hpke(struct keyring_hpke *key, struct bytes private_key)
{
    TRY(kem_public_of(seal_hpke->kem, private_key, &key->public_key));
    return secret_set(private_key, &key->private_key);
}

static struct err load_credential(struct keyring_bytes *kept, struct bytes whole)
{
    if (whole.len > sizeof kept->data)
        return ERR(WIRE_LIMIT);
    memcpy(kept->data, whole.data, whole.len);
    kept->len = whole.len;
    return ERR_OK;
}

/* The credentials are of the keys beside them: signed by the root, for this domain. */
static struct err check_credentials(const struct keyring *ring)
{
    struct credential root, signing;
    TRY(credential_parse(bytes_kept(&ring->root), &root));
    TRY(credential_parse(bytes_kept(&ring->signing), &signing));
    TRY(credential_verify(&root, NULL));
    TRY(credential_verify(&signing, &root));
    if (root.kind != CREDENTIAL_AS_ROOT || signing.kind != CREDENTIAL_AS_SIGNING ||
        !bytes_equal(root.subject, bytes_of(ring->domain, ring->domain_len)) ||
        !bytes_equal(root.public_key, public_key_view(&ring->signers[KEEPER_AS_ROOT].public_key)) ||
        !bytes_equal(signing.public_key,
                     public_key_view(&ring->signers[KEEPER_AS_SIGNING].public_key)))
        return ERR(CREDENTIAL);
    return ERR_OK;
}

static struct err load_before(struct keyring *ring, uint8_t version, struct bytes before)
{
    struct wire_reader r = wire_reader_of(before);
    for (size_t i = 0; wire_reader_more(&r); i++) {
        struct bytes key = wire_read_fixed(&r, SEED_BYTES);
        uint64_t retired_s = version == VERSION_1 ? 0 : wire_read_u64(&r);
        if (i == (version == VERSION_1 ? 1 : KEEPER_QUEUE_BEFORE))
            return ERR(WIRE_LIMIT);
        TRY(wire_reader_check(&r));
        TRY(load_hpke(&ring->queue_before[i], key));
        ring->queue_before[i].retired_s = retired_s;
    }
    return wire_reader_end(&r);
}

static struct pass_master read_tokens(struct wire_reader *r, uint8_t version)
{
    struct pass_master tokens = {.period = 0};
    if (version == VERSION_1 || version == VERSION_2)
        return tokens;
    tokens.period = wire_read_u32(r);
    struct bytes secret = wire_read_fixed(r, sizeof tokens.secret);
    if (secret.len > 0)
        memcpy(tokens.secret, secret.data, secret.len);
    return tokens;
}

static size_t signers_of(uint8_t version)
{
    return version <= VERSION_3 ? KEEPER_WITNESS : KEEPER_SIGNERS;
}

static struct err parse_keys(struct keyring *ring, struct bytes keys)
{
    struct wire_reader r = wire_reader_of(keys);
    struct bytes magic = wire_read_fixed(&r, MAGIC.len);
    uint8_t version = wire_read_u8(&r);
    struct bytes domain = wire_read_vector(&r);
    struct bytes master = wire_read_fixed(&r, sizeof ring->master);
    struct bytes signers = wire_read_vector(&r);
    struct bytes queue = wire_read_fixed(&r, SEED_BYTES);
    struct bytes before = wire_read_vector(&r);
    struct bytes root = wire_read_vector(&r);
    struct bytes signing = wire_read_vector(&r);
    struct bytes externals = version == VERSION_1 ? bytes_of(NULL, 0) : wire_read_vector(&r);
    struct pass_master tokens = read_tokens(&r, version);
    TRY(wire_reader_end(&r));
    if (!bytes_equal(magic, MAGIC) || version < VERSION_1 || version > VERSION ||
        signers.len != signers_of(version) * SEED_BYTES)
        return ERR(WIRE_VALUE);
    TRY(set_domain(ring, domain));
    memcpy(ring->master, master.data, sizeof ring->master);
    ring->tokens = tokens;
    pass_master_clear(&tokens);
    for (size_t i = 0; i < signers_of(version); i++)
        TRY(sig_key_init(&sig_ed25519, bytes_of(signers.data + i * SEED_BYTES, SEED_BYTES),
                         &ring->signers[i]));
    TRY(load_hpke(&ring->queue, queue));
    TRY(load_before(ring, version, before));
    TRY(externals_parse(externals, &ring->externals));
    TRY(load_credential(&ring->root, root));
    TRY(load_credential(&ring->signing, signing));
    return check_credentials(ring);
}

struct err keyring_parse(struct keyring *ring, struct bytes in, struct bytes domain)
{
    struct digest digest;
    if (in.len < DIGEST_BYTES || in.len > KEYRING_FILE_MAX_BYTES)
        return ERR(KEEPER_FILE);
    struct bytes keys = bytes_of(in.data, in.len - DIGEST_BYTES);
    keys_digest(keys, &digest);
    if (!bytes_equal_ct(digest_view(&digest), bytes_of(in.data + keys.len, DIGEST_BYTES)))
        return ERR(KEEPER_FILE);
    struct err err = parse_keys(ring, keys);
    if (!err_is_ok(err))
        return err.code == ERR_NO_MEMORY ? err : ERR(KEEPER_FILE);
    return bytes_equal(domain, bytes_of(ring->domain, ring->domain_len)) ? ERR_OK
                                                                         : ERR(KEEPER_FILE);
}

/* Yesterday: its tokens are still spent. Never 0, which says that there is no master. */
uint32_t keyring_token_day(const struct clock *clock)
{
    uint64_t day = now_s(clock) / DAY_S;
    return day > 1 ? (uint32_t)(day - 1) : 1;
}

struct err keyring_complete(struct keyring *ring, const struct clock *clock, const struct rng *rng,
                            bool *ret_changed)
{
    size_t count = ring->externals.count;
    bool without_tokens = ring->tokens.period == 0;
    bool without_witness = ring->signers[KEEPER_WITNESS].private_key.len == 0;
    TRY(externals_generate(&ring->externals, rng));
    if (without_tokens)
        TRY(pass_master_new(rng, keyring_token_day(clock), &ring->tokens));
    if (without_witness)
        TRY(sig_key_generate(&sig_ed25519, rng, &ring->signers[KEEPER_WITNESS]));
    *ret_changed = ring->externals.count > count || without_tokens || without_witness;
    return ERR_OK;
}

struct err keyring_advanced(const struct keyring *ring, uint32_t day, struct keyring **ret_ring)
{
    struct keyring *copy = NULL;
    TRY(keyring_new(&copy));
    *copy = *ring; /* Ed25519 keys own nothing outside, and externals are bytes */
    struct err err = pass_master_advance(&copy->tokens, day);
    if (err_is_ok(err))
        *ret_ring = copy;
    else
        keyring_free(copy);
    return err;
}

static struct err renew_queue_key(struct keyring *ring, uint64_t now, bool anyway,
                                  const struct rng *rng)
{
    struct keyring_hpke *before = ring->queue_before;
    const struct keyring_hpke *oldest = &before[KEEPER_QUEUE_BEFORE - 1];
    bool rests = now >= oldest->retired_s + (uint64_t)KEEPER_QUEUE_REST_DAYS * DAY_S;
    if (oldest->private_key.len > 0 && (!rests || oldest->used) && !anyway)
        return ERR(KEEPER_IN_USE);
    memmove(before + 1, before, (KEEPER_QUEUE_BEFORE - 1) * sizeof *before);
    before[0] = ring->queue;
    before[0].retired_s = now;
    return generate_queue_key(ring, rng);
}

static struct err renew(struct keyring *ring, unsigned what, bool anyway, const struct clock *clock,
                        const struct rng *rng)
{
    if (what == KEEPER_ROTATE_QUEUE)
        return renew_queue_key(ring, now_s(clock), anyway, rng);
    if (what == KEEPER_EXTERNAL_SENDER)
        TRY(externals_rotate(&ring->externals, &ring->signers[what], now_s(clock), anyway, rng));
    sig_key_clear(&ring->signers[what]);
    TRY(sig_key_generate(&sig_ed25519, rng, &ring->signers[what]));
    return what == KEEPER_AS_SIGNING ? make_signing(ring, clock) : ERR_OK;
}

struct err keyring_rotated(const struct keyring *ring, unsigned what, bool anyway,
                           const struct clock *clock, const struct rng *rng,
                           struct keyring **ret_ring)
{
    struct keyring *copy = NULL;
    TRY(keyring_new(&copy));
    *copy = *ring; /* Ed25519 keys own nothing outside, and externals are bytes */
    struct err err = renew(copy, what, anyway, clock, rng);
    if (err_is_ok(err))
        *ret_ring = copy;
    else
        keyring_free(copy);
    return err;
}
