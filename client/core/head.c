#include "client/core/head.h"

#include "client/core/event.h"
#include "client/core/head_row.h"
#include "crypto/hash.h"
#include "seal/pad.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { PLAIN_VERSION = 2, TOLD_MOST = 1000000, VARINT_2_MAX = 16383 };

static size_t lane_of(const struct hearth_id *chat, const uint8_t lane[16])
{
    uint8_t first[16];
    chat_lane(chat, CHAT_LANE, first);
    return memcmp(first, lane, sizeof first) == 0 ? 0 : 1;
}

static void hash_message(const uint8_t previous[HEAD_HASH_BYTES], size_t lane, uint64_t number,
                         struct bytes content, uint8_t ret_hash[HEAD_HASH_BYTES])
{
    uint8_t at[9] = {(uint8_t)lane};
    struct digest digest;
    for (size_t i = 0; i < 8; i++)
        at[1 + i] = (uint8_t)(number >> (56 - 8 * i));
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth 1 Head"), bytes_of(previous, HEAD_HASH_BYTES),
                         bytes_of(at, sizeof at), content),
              &digest);
    memcpy(ret_hash, digest.data, HEAD_HASH_BYTES);
}

/* ---- sending */

static void write_claims(struct buf *b, struct head_row *row, uint64_t epoch)
{
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0, said = 0; i < row->count && said < HEAD_CLAIMS; i++) {
        struct head *h = &row->heads[i];
        if (!h->fresh || h->epoch > epoch || epoch - h->epoch > HEAD_NUMBER_MAX)
            continue;
        wire_write_fixed(b, bytes_of(h->pseudonym, HEAD_PREFIX_BYTES));
        wire_write_u8(b, h->lane);
        wire_write_varint(b, (size_t)(epoch - h->epoch));
        wire_write_varint(b, (size_t)h->number);
        wire_write_fixed(b, bytes_of(h->hash, HEAD_HASH_BYTES));
        h->fresh = false;
        said++;
    }
    wire_vector_end(b, mark);
}

/* RFC 9420 6.3.1 with Ed25519 and AES-128-GCM, no authenticated data, no padding of its own:
 * MLSMessage head, group id, epoch, content type, authenticated_data, encrypted_sender_data; the
 * signature with its length, the tag; and the lengths of ciphertext and application data. */
static size_t framing_bytes(const struct open_chat *chat, size_t total)
{
    size_t lengths = total > VARINT_2_MAX ? 4 : 2;
    return 4 + wire_varint_size(chat->chat.group_id_len) + chat->chat.group_id_len + 8 + 1 + 1 +
           (1 + 28) + (2 + 64) + 16 + 2 * lengths;
}

/* What no size holds stays as long as it is: the server refuses it. */
static void pad(const struct open_chat *chat, struct buf *plain)
{
    for (size_t bucket = pad_bucket_bytes(0); bucket != 0;
         bucket = pad_bucket_bytes(bucket - PAD_HEAD_BYTES + 1)) {
        size_t spare = QUEUE_ITEM_HEAD_BYTES + QUEUE_BODY_MAX_BYTES - FAN_OUT_BODY_MAX_BYTES;
        size_t total = bucket > spare ? bucket - spare : 0, framing = framing_bytes(chat, total);
        if (total < framing + plain->len)
            continue;
        uint8_t *zeros = buf_extend(plain, total - framing - plain->len);
        if (zeros != NULL)
            memset(zeros, 0, total - framing - (size_t)(zeros - plain->data));
        return;
    }
}

struct err head_wrap(struct core *c, struct db_txn *t, const struct open_chat *chat,
                     const uint8_t lane[16], struct bytes content, struct buf *plain)
{
    struct head_row row;
    uint64_t epoch = group_epoch(chat->group);
    size_t in = lane_of(&chat->chat.id, lane);
    const struct head_own *own = &row.own[in];
    (void)c;
    TRY(head_row_get(t, &chat->chat.id, &row));
    if (own->number >= HEAD_NUMBER_MAX)
        return ERR(TOO_LARGE);
    uint64_t before = own->epoch == epoch ? own->before : own->number;
    wire_write_u8(plain, PLAIN_VERSION);
    size_t mark = wire_vector_begin(plain);
    wire_write_u8(plain, (uint8_t)in);
    wire_write_varint(plain, (size_t)own->number + 1);
    wire_write_varint(plain, (size_t)(own->number + 1 - before));
    wire_write_fixed(plain, bytes_of(own->hash, HEAD_HASH_BYTES));
    write_claims(plain, &row, epoch);
    wire_vector_end(plain, mark);
    wire_write_vector(plain, content);
    pad(chat, plain);
    TRY(buf_check(plain));
    return head_row_put(t, &chat->chat.id, &row);
}

struct err head_sent(struct core *c, struct db_txn *t, const struct open_chat *chat,
                     const uint8_t lane[16], uint64_t epoch, struct bytes content)
{
    struct head_row row;
    size_t in = lane_of(&chat->chat.id, lane);
    struct head_own *own = &row.own[in];
    (void)c;
    TRY(head_row_get(t, &chat->chat.id, &row));
    if (own->epoch != epoch)
        own->before = own->number;
    own->epoch = epoch;
    own->number++;
    hash_message(own->hash, in, own->number, content, own->hash);
    return head_row_put(t, &chat->chat.id, &row);
}

/* ---- what people are told */

static const struct bytes told_id = {(const uint8_t *)"told losses", 11};

static struct err told_get(struct db_txn *t, uint64_t *ret_count)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_SETTING, told_id, &value);
    struct wire_reader r = wire_reader_of(buf_view(&value));
    *ret_count = err_is_ok(err) ? wire_read_u64(&r) : 0;
    buf_clear(&value);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err told_put(struct db_txn *t, uint64_t count)
{
    struct buf value = BUF_INIT;
    wire_write_u64(&value, count);
    struct err err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, told_id, buf_view(&value));
    buf_clear(&value);
    return err;
}

struct err head_told(struct core *c, struct db_txn *t, uint64_t count)
{
    uint64_t before;
    (void)c;
    TRY(told_get(t, &before));
    count = count < TOLD_MOST ? count : TOLD_MOST;
    return told_put(t, before + count < TOLD_MOST ? before + count : TOLD_MOST);
}

/* Of what is missed, that which was not told. */
static struct err take_told(struct db_txn *t, uint64_t *missing)
{
    uint64_t told;
    TRY(told_get(t, &told));
    uint64_t both = told < *missing ? told : *missing;
    *missing -= both;
    return both > 0 ? told_put(t, told - both) : ERR_OK;
}

static struct err withheld(struct core *c, struct db_txn *t, const struct open_chat *chat,
                           uint64_t count, const char *text)
{
    return event_tell(c, t,
                      &(struct hearth_event){.kind = HEARTH_EVENT_WITHHELD,
                                             .chat = chat->chat.id,
                                             .contact = chat->chat.contact,
                                             .message = count,
                                             .result = HEARTH_UNVERIFIED,
                                             .text = text});
}

static struct err missed(struct core *c, struct db_txn *t, const struct open_chat *chat,
                         uint64_t count)
{
    TRY(take_told(t, &count));
    return count == 0 ? ERR_OK
                      : withheld(c, t, chat, count,
                                 "messages did not come that others have sent or seen: the "
                                 "homeserver lost them, holds them back, or turns their order "
                                 "round");
}

static struct err forked(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    return withheld(c, t, chat, 1,
                    "members were shown different messages, or a member's do not follow on each "
                    "other");
}

struct err head_forked(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    TRY(head_told(c, t, 1));
    return withheld(c, t, chat, 1,
                    "a message of this time does not open: the homeserver has led members into "
                    "different groups, or its sender is at fault");
}

/* ---- receiving */

struct parsed {
    size_t lane;
    uint64_t number, in_epoch;
    const uint8_t *previous;
    struct bytes claims, content;
};

static bool parse(struct bytes plaintext, struct parsed *ret)
{
    struct wire_reader r = wire_reader_of(plaintext);
    if (wire_read_u8(&r) != PLAIN_VERSION)
        return false;
    struct wire_reader in = wire_read_nested(&r);
    ret->lane = wire_read_u8(&in);
    ret->number = wire_read_varint(&in);
    ret->in_epoch = wire_read_varint(&in);
    ret->previous = wire_read_fixed(&in, HEAD_HASH_BYTES).data;
    ret->claims = wire_read_vector(&in);
    wire_reader_join(&r, &in);
    ret->content = wire_read_vector(&r);
    return err_is_ok(wire_reader_check(&r)) && ret->lane < HEAD_LANES && ret->number > 0 &&
           ret->in_epoch > 0 && ret->in_epoch <= ret->number;
}

/* How many of [from, to] should have come: in epochs that we are in. from: after what we know. */
static uint64_t gap(const struct open_chat *chat, const struct head_row *row,
                    const struct head *known, const struct head_from *from, const struct parsed *m)
{
    uint64_t first = m->number - m->in_epoch + 1; /* of its epoch */
    if (from->epoch < chat->chat.joined_epoch)
        return 0; /* late, of before a resync */
    if (known != NULL && known->epoch >= chat->chat.joined_epoch)
        return m->number - known->number - 1;
    if (known != NULL && known->number >= first)
        first = known->number + 1;
    return known != NULL || !row->forgot ? m->number - first : 0;
}

static struct err take_message(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const struct head_from *from, const struct parsed *m,
                               struct head_row *row)
{
    struct head *known = head_find(row, from->pseudonym, PSEUDONYM_BYTES, m->lane);
    bool late = known != NULL && m->number <= known->number;
    if (late && !known->claimed)
        return ERR_OK; /* it was missed before, and that was told */
    uint64_t missing = late ? 0 : gap(chat, row, known, from, m);
    bool follows = known == NULL || m->number != known->number + 1 ||
                   memcmp(known->hash, m->previous, HEAD_HASH_BYTES) == 0;
    struct head now = {.lane = (uint8_t)m->lane, .fresh = true, .epoch = from->epoch};
    now.number = m->number;
    memcpy(now.pseudonym, from->pseudonym, sizeof now.pseudonym);
    hash_message(m->previous, m->lane, m->number, m->content, now.hash);
    head_newest(row, &now);
    if (missing > 0)
        TRY(missed(c, t, chat, missing));
    return follows ? ERR_OK : forked(c, t, chat);
}

struct claim {
    const uint8_t *prefix, *hash;
    size_t lane;
    uint64_t epoch, number;
};

static struct err take_claim(struct core *c, struct db_txn *t, struct open_chat *chat,
                             const struct claim *claim, struct head_row *row)
{
    struct head *known = head_find(row, claim->prefix, HEAD_PREFIX_BYTES, claim->lane);
    if (claim->epoch < chat->chat.joined_epoch || (known == NULL && row->forgot))
        return ERR_OK;
    if (known != NULL && claim->number <= known->number)
        return claim->number == known->number &&
                       memcmp(known->hash, claim->hash, HEAD_HASH_BYTES) != 0
                   ? forked(c, t, chat)
                   : ERR_OK;
    bool counted = known != NULL && known->epoch >= chat->chat.joined_epoch;
    uint64_t missing = counted ? claim->number - known->number : 1;
    struct head now = {.lane = (uint8_t)claim->lane, .claimed = true, .epoch = claim->epoch};
    now.number = claim->number;
    memcpy(now.hash, claim->hash, HEAD_HASH_BYTES);
    if (known != NULL)
        memcpy(now.pseudonym, known->pseudonym, sizeof now.pseudonym);
    else if (!head_pseudonym(chat, claim->prefix, now.pseudonym))
        return ERR_OK; /* gone meanwhile */
    head_newest(row, &now);
    return missed(c, t, chat, missing);
}

static struct err take_claims(struct core *c, struct db_txn *t, struct open_chat *chat,
                              const struct head_from *from, struct bytes claims,
                              struct head_row *row)
{
    struct wire_reader r = wire_reader_of(claims);
    for (size_t i = 0; i < HEAD_CLAIMS && wire_reader_more(&r); i++) {
        struct claim claim = {.prefix = wire_read_fixed(&r, HEAD_PREFIX_BYTES).data};
        claim.lane = wire_read_u8(&r);
        uint64_t ago = wire_read_varint(&r);
        claim.number = wire_read_varint(&r);
        claim.hash = wire_read_fixed(&r, HEAD_HASH_BYTES).data;
        if (!err_is_ok(wire_reader_check(&r)) || claim.lane >= HEAD_LANES || ago > from->epoch ||
            claim.number == 0)
            return ERR_OK; /* a member's nonsense */
        claim.epoch = from->epoch - ago;
        if (memcmp(claim.prefix, chat->chat.pseudonym, HEAD_PREFIX_BYTES) != 0)
            TRY(take_claim(c, t, chat, &claim, row));
    }
    return ERR_OK;
}

struct err head_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                     const struct head_from *from, struct bytes plaintext,
                     struct bytes *ret_content)
{
    struct head_row row;
    struct parsed m = {0};
    if (plaintext.len > 0 && plaintext.data[0] != PLAIN_VERSION) {
        *ret_content = plaintext;
        return ERR_OK;
    }
    *ret_content = bytes_of(NULL, 0);
    if (!parse(plaintext, &m))
        return ERR_OK;
    *ret_content = m.content;
    if (from->pseudonym == NULL)
        return ERR_OK;
    TRY(head_row_get(t, &chat->chat.id, &row));
    TRY(take_claims(c, t, chat, from, m.claims, &row)); /* what it names came before it */
    TRY(take_message(c, t, chat, from, &m, &row));
    return head_row_put(t, &chat->chat.id, &row);
}
