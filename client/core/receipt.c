#include "client/core/receipt.h"

#include "client/core/event.h"
#include "client/core/homeserver.h"
#include "crypto/hash.h"
#include "seal/receipt.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, HOUR_MS = 3600 * 1000, HOURS_OFF = 2 };
static const struct bytes refusals = {NULL, 0}, accepted = {(const uint8_t *)"done", 4};

bool receipt_of_changes(const char *method)
{
    static const char *const changes[] = {
        "Auth/RegisterUser",       "Auth/AddClient",
        "Auth/RemoveClient",       "Auth/DeleteUser",
        "Auth/CreateHandle",       "Auth/DeleteHandle",
        "Queue/CreateQueueUser",   "Queue/DeleteQueueUser",
        "Queue/CreateQueueClient", "Queue/DeleteQueueClient",
        "Queue/UpdateBlocklist",   "Delivery/CreateGroup",
        "Delivery/JoinConnection", "Delivery/RefuseConnection",
        "Delivery/Commit",         "Delivery/Resync",
        "Delivery/DeleteGroup",    "Delivery/ProposeSelfRemove",
    };
    const char *name = strrchr(method, '.'); /* "/hearth.v1.Auth/AddClient" */
    for (size_t i = 0; name != NULL && i < sizeof changes / sizeof changes[0]; i++)
        if (strcmp(name + 1, changes[i]) == 0)
            return true;
    return false;
}

void receipt_ask(struct receipt_ask *ask, const char *domain, const char *method,
                 struct bytes request)
{
    struct digest digest;
    hash_once(&hash_sha256, request, &digest);
    memcpy(ask->hash, digest.data, sizeof ask->hash);
    (void)memccpy(ask->domain, domain, '\0', sizeof ask->domain - 1);
    ask->method = method;
}

/* Under one of the domain's signing credentials, and about what was asked. */
static bool holds(const struct core *c, const struct receipt_ask *ask, struct bytes in,
                  struct bytes signings, int code, struct receipt *receipt, struct bytes *ret_by)
{
    struct wire_reader r = wire_reader_of(signings);
    bool read = false;
    while (!read && wire_reader_more(&r)) {
        *ret_by = wire_read_vector(&r);
        read = err_is_ok(wire_reader_check(&r)) && err_is_ok(receipt_read(in, *ret_by, receipt));
    }
    uint64_t hour = core_now_ms(c) / HOUR_MS;
    return read && receipt->status == code &&
           memcmp(receipt->request_hash, ask->hash, sizeof ask->hash) == 0 &&
           bytes_equal(receipt->domain, bytes_str(ask->domain)) &&
           bytes_equal(receipt->method, bytes_str(ask->method)) &&
           receipt->hour + HOURS_OFF >= hour && receipt->hour <= hour + HOURS_OFF;
}

static struct err keep(struct core *c, struct db_txn *t, const struct receipt *receipt,
                       struct bytes whole, struct bytes signing)
{
    const struct bytes owner = receipt->status == HEARTH_OK ? accepted : refusals;
    struct buf row = BUF_INIT;
    uint64_t number;
    wire_write_u8(&row, ROW_VERSION);
    wire_write_u64(&row, core_now_ms(c));
    wire_write_vector(&row, receipt->domain);
    wire_write_vector(&row, receipt->method);
    wire_write_u16(&row, receipt->status);
    wire_write_u32(&row, receipt->hour);
    wire_write_vector(&row, whole);
    wire_write_vector(&row, signing);
    struct err err = buf_check(&row);
    if (err_is_ok(err))
        err = db_append(t, DB_RECEIPT, owner, buf_view(&row), &number);
    buf_clear(&row);
    if (err_is_ok(err) && number > RECEIPTS_KEPT)
        err = db_list_drop(t, DB_RECEIPT, owner, number - RECEIPTS_KEPT, number - RECEIPTS_KEPT);
    return err;
}

static struct err two_tongues(struct core *c, struct db_txn *t, bool refused)
{
    return event_tell(c, t,
                      &(struct hearth_event){
                          .kind = HEARTH_EVENT_WITHHELD,
                          .result = HEARTH_UNVERIFIED,
                          .text = refused
                                      ? "the homeserver refused a call and signed something else"
                                      : "the homeserver accepted a call and signed something "
                                        "else"});
}

struct err receipt_take(struct core *c, struct db_txn *t, const struct receipt_ask *ask,
                        const struct hearth_status *status)
{
    struct homeserver home;
    struct receipt receipt;
    struct bytes by;
    const uint8_t *value;
    size_t len;
    if (ask->method == NULL || !hearth_status_trailer(status, RECEIPT_METADATA, 0, &value, &len))
        return ERR_OK;
    /* not held against its log first: an answer must not wait for that, and what a credential of
     * the root's signed is evidence all the same */
    struct err err = homeserver_get_unlogged(c, t, ask->domain, &home);
    if (err.code == ERR_NOT_FOUND || err.code == ERR_CREDENTIAL)
        return ERR_OK; /* its keys are not known yet */
    TRY(err);
    if (holds(c, ask, bytes_of(value, len), buf_view(&home.signings), (int)status->code, &receipt,
              &by))
        err = keep(c, t, &receipt, bytes_of(value, len), by);
    else
        err = two_tongues(c, t, status->code != HEARTH_OK);
    homeserver_clear(&home);
    return err;
}

static struct err count_one(void *arg, uint64_t number, struct bytes value)
{
    (void)number;
    (void)value;
    ++*(uint64_t *)arg;
    return ERR_OK;
}

struct err receipt_count(struct core *c, struct db_txn *t, uint64_t *ret_count)
{
    (void)c;
    *ret_count = 0;
    return db_list_each(t, DB_RECEIPT, refusals, 1, 0, count_one, ret_count);
}

struct walk {
    struct err (*fn)(void *arg, const struct receipt_kept *kept);
    void *arg;
    bool over;
};

/* Behind version, status and hour of the receipt (seal/receipt.h). */
static const uint8_t *hash_of(struct bytes receipt)
{
    enum { BEFORE = 1 + 2 + 4 };
    return receipt.len < BEFORE + RECEIPT_HASH_BYTES ? NULL : receipt.data + BEFORE;
}

static struct err visit(void *arg, uint64_t number, struct bytes value)
{
    struct walk *walk = arg;
    struct receipt_kept kept = {0};
    struct wire_reader r = wire_reader_of(value);
    (void)number;
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    kept.kept_ms = wire_read_u64(&r);
    kept.domain = wire_read_vector(&r);
    kept.method = wire_read_vector(&r);
    kept.status = wire_read_u16(&r);
    kept.hour = wire_read_u32(&r);
    kept.receipt = wire_read_vector(&r);
    kept.signing = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    kept.request_hash = hash_of(kept.receipt);
    struct err err = walk->fn(walk->arg, &kept);
    walk->over = err.code == ERR_CANCELLED;
    return err;
}

struct err receipt_each(struct core *c, struct db_txn *t,
                        struct err (*fn)(void *arg, const struct receipt_kept *kept), void *arg)
{
    struct walk walk = {.fn = fn, .arg = arg};
    (void)c;
    TRY(db_list_each(t, DB_RECEIPT, refusals, 1, 0, visit, &walk));
    return walk.over ? ERR_OK : db_list_each(t, DB_RECEIPT, accepted, 1, 0, visit, &walk);
}
