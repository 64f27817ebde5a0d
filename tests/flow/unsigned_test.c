/* Unsigned fallback: each row of the server that wants a signature, called without one. It is
 * refused before anything is decoded or looked up, whatever the row; the control shows that the
 * same call gets further when admission is off. */
#include "hearth/options.pb-c.h"
#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/auth_rpc.h"
#include "support/house/resident.h"

static struct house house;
static struct hearth_channel *channel;

static const struct hearth_service *const services[] = {
    &hearth_queue_descriptor, &hearth_delivery_descriptor, &hearth_auth_descriptor,
    &hearth_attachment_descriptor};

/* As the row says: by nobody but who signs, or the operator, who comes by another way. The others
 * (nobody, an ear, a contact, who has a capability) show what they have in the message. */
static bool wants_signature(const struct hearth_endpoint *e)
{
    uint32_t others = HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_NONE) |
                      HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_EAR) |
                      HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_CONTACT) |
                      HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_CAPABILITY);
    return e->callers != 0 && (e->callers & others) == 0;
}

static enum hearth_code code_of_call;
static bool over;

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    (void)out;
    (void)arg;
    code_of_call = status->code;
    over = true;
}

static enum hearth_code call_unsigned(const struct hearth_endpoint *e)
{
    ProtobufCMessage *in = calloc(1, e->request->sizeof_message);
    const struct hearth_call_options options = {.no_retry = true, .deadline_ms = 5000};
    assert_non_null(in);
    e->request->message_init(in);
    over = false;
    assert_non_null(hearth_channel_start(channel, e, &options, in, on_done, NULL));
    house_run_ms(&house, 6000);
    assert_true(over);
    free(in);
    return code_of_call;
}

/* How many of the rows that want a signature refuse for want of one. */
static unsigned refusals(unsigned *ret_rows)
{
    unsigned rows = 0, refused = 0;
    house_open(&house);
    house_enter(&house, "pipe:house@10.0.0.9", &channel);
    for (size_t s = 0; s < sizeof services / sizeof *services; s++)
        for (size_t i = 0; i < services[s]->endpoint_count; i++) {
            const struct hearth_endpoint *e = &services[s]->endpoints[i];
            if (e->shape != HEARTH_UNARY || !wants_signature(e))
                continue;
            enum hearth_code code = call_unsigned(e);
            if (code == HEARTH_UNIMPLEMENTED)
                continue;
            rows++;
            refused += code == HEARTH_UNAUTHENTICATED;
            if (code == HEARTH_OK)
                print_message("%s: OK without a signature\n", e->path);
        }
    house_exit(&house, &channel);
    house_close(&house);
    *ret_rows = rows;
    return refused;
}

static void unsigned_fallback(void **state)
{
    (void)state;
    unsigned rows;
    house_init(&house, 9);
    unsigned refused = refusals(&rows);
    print_message("%u rows want a signature, %u refuse without one\n", rows, refused);
    assert_true(rows > 20);
    assert_int_equal(refused, rows);
}

static void unsigned_fallback_control(void **state)
{
    (void)state;
    unsigned rows;
    house_init(&house, 9);
    house.front_options.control = true;
    assert_true(refusals(&rows) < rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_fallback),
        cmocka_unit_test(unsigned_fallback_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
