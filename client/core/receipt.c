#include "client/core/receipt.h"

#include "client/core/event.h"
#include "client/core/homeserver.h"
#include "crypto/hash.h"
#include "seal/receipt.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, HOUR_MS = 3600 * 1000, HOURS_OFF = 2 };
static const struct bytes nobody = {NULL, 0};

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
        err = db_append(t, DB_RECEIPT, nobody, buf_view(&row), &number);
    buf_clear(&row);
    if (err_is_ok(err) && number > RECEIPTS_KEPT)
        err = db_list_drop(t, DB_RECEIPT, nobody, number - RECEIPTS_KEPT, number - RECEIPTS_KEPT);
    return err;
}

static struct err two_tongues(struct core *c, struct db_txn *t)
{
    return event_tell(
        c, t,
        &(struct hearth_event){.kind = HEARTH_EVENT_WITHHELD,
                               .result = HEARTH_UNVERIFIED,
                               .text = "the homeserver refused a call and signed something else"});
}

struct err receipt_take(struct core *c, struct db_txn *t, const struct receipt_ask *ask,
                        const struct hearth_status *status)
{
    struct homeserver home;
    struct receipt receipt;
    struct bytes by;
    const uint8_t *value;
    size_t len;
    if (ask->method == NULL || status->code == HEARTH_OK ||
        !hearth_status_trailer(status, RECEIPT_METADATA, 0, &value, &len))
        return ERR_OK;
    struct err err = homeserver_get(c, t, ask->domain, &home);
    if (err.code == ERR_NOT_FOUND || err.code == ERR_CREDENTIAL)
        return ERR_OK; /* its keys are not known yet */
    TRY(err);
    if (holds(c, ask, bytes_of(value, len), buf_view(&home.signings), (int)status->code, &receipt,
              &by))
        err = keep(c, t, &receipt, bytes_of(value, len), by);
    else
        err = two_tongues(c, t);
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
    return db_list_each(t, DB_RECEIPT, nobody, 1, 0, count_one, ret_count);
}
