/* Puzzles for open registration (DoS2), stateless until one is solved:
 *
 *     challenge = struct { uint8 version = 1; uint8 bits; uint64 time_s; opaque mac[32]; }
 *     mac       = HMAC-SHA256(key, "Hearth 1 RegistrationChallenge" || version .. time || client
 * key) solved    : SHA-256(challenge || client key || solution) begins with `bits` zero bits
 *
 * A challenge is good for one client key, five minutes and one account: the mac of a spent one is
 * kept, as a PRF value, until it would be too old anyway.
 */
#include "server/auth/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { HEAD_BYTES = 10, MAC_BYTES = 32, CHALLENGE_BYTES = HEAD_BYTES + MAC_BYTES };

static void make_mac(const struct auth *auth, struct bytes head, struct bytes key,
                     struct digest *ret_mac)
{
    hmac_once(&hash_sha256, bytes_of(auth->challenge_key, sizeof auth->challenge_key),
              BYTES_LIST(bytes_str("Hearth 1 RegistrationChallenge"), head, key), ret_mac);
}

/* ---- load: solutions accepted in this minute and the one before */

static void roll(struct puzzle_load *load, uint64_t minute)
{
    if (minute == load->minute)
        return;
    load->before = minute == load->minute + 1 ? load->now : 0;
    load->now = 0;
    load->minute = minute;
}

static uint64_t minute_of(const struct auth *auth)
{
    return clock_monotonic_us(auth->env->clock) / 60000000;
}

void puzzle_count(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    roll(&auth->load, minute_of(auth));
    auth->load.now++;
    pthread_mutex_unlock(&auth->lock);
}

/* One bit more at 8 solutions in the last minutes, another each time they double: what is asked of
 * everybody grows with what somebody spent, not with what was merely asked for. */
uint32_t puzzle_bits(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    roll(&auth->load, minute_of(auth));
    uint32_t solved = auth->load.now + auth->load.before;
    pthread_mutex_unlock(&auth->lock);
    uint64_t bits = auth_limit(auth, LIMIT_PUZZLE_BITS_LEAST);
    uint64_t most = auth_limit(auth, LIMIT_PUZZLE_BITS_MOST);
    for (solved /= 8; solved > 0; solved /= 2)
        bits++;
    return (uint32_t)(bits < most ? bits : most);
}

/* ---- the rpc */

AUTH_HANDLER(get_registration_challenge, GetRegistrationChallenge)
{
    struct auth *auth = self;
    if (auth_mode(auth) != AUTH_OPEN)
        return HEARTH_OK; /* empty: an invitation is wanted */
    struct buf b = BUF_INIT;
    uint32_t bits = puzzle_bits(auth);
    wire_write_u8(&b, 1);
    wire_write_u8(&b, (uint8_t)bits);
    wire_write_u64(&b, auth_now_s(auth));
    uint8_t *copy = hearth_call_alloc(call, CHALLENGE_BYTES);
    if (!err_is_ok(buf_check(&b)) || copy == NULL) {
        buf_clear(&b);
        return front_fail(call, ERR(NO_MEMORY));
    }
    memcpy(copy, b.data, HEAD_BYTES);
    buf_clear(&b);
    struct digest mac;
    make_mac(auth, bytes_of(copy, HEAD_BYTES), auth_in(in->client_key), &mac);
    memcpy(copy + HEAD_BYTES, mac.data, MAC_BYTES);
    out->challenge = auth_out(bytes_of(copy, CHALLENGE_BYTES));
    out->bits = bits;
    return HEARTH_OK;
}

/* ---- the solution */

static bool leading_zeros(struct bytes hash, uint32_t bits)
{
    if (bits > hash.len * 8)
        return false;
    for (uint32_t i = 0; i < bits; i++)
        if ((hash.data[i / 8] >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

struct err puzzle_check(struct auth *auth, struct bytes challenge, struct bytes key,
                        struct bytes solution, uint8_t ret_id[AUTH_ID_BYTES])
{
    struct wire_reader r = wire_reader_of(challenge);
    uint8_t version = wire_read_u8(&r);
    uint32_t bits = wire_read_u8(&r);
    uint64_t time_s = wire_read_u64(&r);
    struct bytes mac = wire_read_fixed(&r, MAC_BYTES);
    if (!err_is_ok(wire_reader_end(&r)) || version != 1)
        return ERR(AUTH_PERMIT);
    struct digest want;
    make_mac(auth, bytes_of(challenge.data, HEAD_BYTES), key, &want);
    if (!bytes_equal_ct(mac, digest_view(&want)))
        return ERR(AUTH_PERMIT);
    uint64_t now = auth_now_s(auth);
    if (time_s > now + 60 || now > time_s + auth_limit(auth, LIMIT_PUZZLE_MINUTES) * 60)
        return ERR(AUTH_PERMIT);
    struct digest hash;
    hash_list(&hash_sha256, BYTES_LIST(challenge, key, solution), &hash);
    if (!leading_zeros(digest_view(&hash), bits))
        return ERR(AUTH_PERMIT);
    auth_id(auth, "puzzle", mac, ret_id);
    return ERR_OK;
}
