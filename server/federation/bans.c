/* What one homeserver may send us, and what becomes of who sends rubbish (DoS16). */
#include "server/federation/inside.h"

enum {
    PUT_OFF_MOST_S = 60,
    OWED_MOST_S = 3600, /* as the longest wait of a courier */
    MINUTE_US = 60000000,
    BAN_MOST_MINUTES = 24 * 60,
    BANS_FORGOTTEN_H = 24,
    BYTES_OF_A_ROW = 4096 /* PEER_ROWS */
};

uint32_t peer_banned_s(const struct peer *peer)
{
    uint64_t now_us = federation_now_us(peer->federation);
    return peer->banned_until_us > now_us
               ? (uint32_t)((peer->banned_until_us - now_us + 999999) / 1000000)
               : 0;
}

static void ban(struct peer *peer)
{
    struct federation *f = peer->federation;
    uint64_t minutes = limit_value(front_limits(f->env->front), LIMIT_BAN_MINUTES);
    federation_lock(f);
    uint64_t now_us = federation_now_us(f);
    /* who has behaved for a day begins anew */
    if (now_us > peer->banned_until_us + (uint64_t)BANS_FORGOTTEN_H * 60 * MINUTE_US)
        peer->bans = 0;
    minutes <<= peer->bans < 11 ? peer->bans : 11;
    minutes = minutes < BAN_MOST_MINUTES ? minutes : BAN_MOST_MINUTES;
    peer->banned_until_us = now_us + minutes * MINUTE_US;
    peer->bans++;
    federation_unlock(f);
    front_log(f->env->front, "level=warn event=peer_banned");
}

void peer_malformed(struct peer *peer)
{
    struct limits *limits = front_limits(peer->federation->env->front);
    if (limit_take(limits, LIMIT_PEER_MALFORMED, bytes_str(peer->domain), 1, NULL).code ==
        ERR_LIMIT)
        ban(peer);
}

static void put_off(struct peer *peer, uint32_t seconds)
{
    struct federation *f = peer->federation;
    federation_lock(f);
    uint64_t until_us = federation_now_us(f) + (uint64_t)seconds * 1000000;
    if (peer->put_off_us < until_us)
        peer->put_off_us = until_us;
    federation_unlock(f);
}

/* No ban for these: whoever has an account over there could bring one on for all who have. */
void peer_refused(struct peer *peer, size_t rows)
{
    struct limits *limits = front_limits(peer->federation->env->front);
    struct bytes domain = bytes_str(peer->domain);
    uint32_t seconds = 0;
    for (; rows > 0; rows--) {
        uint32_t more = 0;
        if (limit_take(limits, LIMIT_PEER_INVALID, domain, 1, NULL).code != ERR_LIMIT)
            continue;
        uint64_t most = limit_value(limits, LIMIT_PEER_INVALID);
        uint32_t left = (uint32_t)(rows < most ? rows : most);
        if (limit_take(limits, LIMIT_PEER_INVALID, domain, left, &more).code == ERR_LIMIT)
            seconds = more < PUT_OFF_MOST_S ? more : PUT_OFF_MOST_S;
        break;
    }
    if (seconds > 0)
        put_off(peer, seconds);
}

static bool is_new(struct peer *peer)
{
    struct federation *f = peer->federation;
    uint64_t hours = limit_value(front_limits(f->env->front), LIMIT_NEW_PEER_HOURS);
    federation_lock(f);
    bool new = clock_unix_ms(f->env->clock) / 1000 < peer->since_s + hours * 3600 &&
               !policy_names(f->policy, bytes_str(peer->domain));
    federation_unlock(f);
    return new;
}

static size_t bytes_brought(const Hearth__V1__DeliverRequest *in)
{
    size_t len = 0;
    for (size_t i = 0; i < in->n_payloads; i++)
        len += in->payloads[i]->sealed.len;
    return len + in->n_rows * SEALED_REF_MAX_BYTES;
}

/* A payload comes once and is stored for each row: a small batch can be much to write. */
static uint64_t rows_stored(const Hearth__V1__DeliverRequest *in)
{
    uint64_t rows = in->n_rows;
    for (size_t i = 0; i < in->n_rows; i++)
        if (in->rows[i]->payload < in->n_payloads)
            rows += in->payloads[in->rows[i]->payload]->sealed.len / BYTES_OF_A_ROW;
    return rows;
}

/* What is more than the bucket holds takes all of it, or it would never get through; and no other
 * comes until the rest would have come in: a batch of eight megabytes can be tens of gigabytes to
 * write. */
static enum hearth_code charge_rows(struct peer *peer, struct hearth_call *call, uint64_t rows)
{
    struct limits *limits = front_limits(peer->federation->env->front);
    struct bytes domain = bytes_str(peer->domain);
    uint32_t most = (uint32_t)limit_value(limits, LIMIT_PEER_ROWS), full_s = 0;
    if (rows <= most)
        return front_limit(call, LIMIT_PEER_ROWS, domain, (uint32_t)rows);
    enum hearth_code code = front_limit(call, LIMIT_PEER_ROWS, domain, most);
    if (code == HEARTH_OK && most > 0 &&
        limit_take(limits, LIMIT_PEER_ROWS, domain, most, &full_s).code == ERR_LIMIT) {
        uint64_t owed_s = (rows - most) * full_s / most;
        put_off(peer, owed_s < OWED_MOST_S ? (uint32_t)owed_s : OWED_MOST_S);
    }
    return code;
}

enum hearth_code peer_charge(struct peer *peer, struct hearth_call *call,
                             const Hearth__V1__DeliverRequest *in)
{
    struct bytes domain = bytes_str(peer->domain);
    uint32_t kib = (uint32_t)(bytes_brought(in) / 1024 + 1);
    enum hearth_code code = front_limit(call, LIMIT_PEER_CALLS, domain, 1);
    if (code == HEARTH_OK && is_new(peer))
        code = front_limit(call, LIMIT_NEW_PEERS_KIB, bytes_str("new"), kib);
    if (code == HEARTH_OK)
        code = front_limit(call, LIMIT_PEER_KIB, domain, kib);
    return code == HEARTH_OK ? charge_rows(peer, call, rows_stored(in)) : code;
}
