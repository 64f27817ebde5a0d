/* swap-handle: what Connect hands out. */
#include <string.h>

#include "base/clock.h"
#include "hearth/v1/auth_rpc.h"
#include "malicious/malice.h"
#include "seal/connection_package.h"

int __real_hearth_auth_connect_write(struct hearth_call *call,
                                     const Hearth__V1__ConnectResponse *item);
int __wrap_hearth_auth_connect_write(struct hearth_call *call,
                                     const Hearth__V1__ConnectResponse *item);

static struct err make_package(struct buf *b, const uint8_t *handle_hash)
{
    static const uint8_t hpke_key[32] = {9}; /* the base point: as good as any */
    uint64_t now = clock_unix_ms(&clock_system) / 1000;
    const struct connection_package fields = {.hpke_key = bytes_of(hpke_key, sizeof hpke_key),
                                              .not_before = now - 3600,
                                              .not_after = now + 86400,
                                              .handle_hash = handle_hash,
                                              .last_resort = true};
    return connection_package_make(b, &fields, malice_key());
}

int __wrap_hearth_auth_connect_write(struct hearth_call *call,
                                     const Hearth__V1__ConnectResponse *item)
{
    struct key_set set;
    struct buf package = BUF_INIT, key_set = BUF_INIT;
    if (item->step_case != HEARTH__V1__CONNECT_RESPONSE__STEP_PACKAGE || !malice_on("swap-handle"))
        return __real_hearth_auth_connect_write(call, item);
    Hearth__V1__ConnectResponse out = *item;
    Hearth__V1__ConnectionPackage swapped = *item->package;
    struct bytes was = bytes_of(swapped.key_set.data, swapped.key_set.len);
    struct err err = key_set_parse(was, &set);
    if (err_is_ok(err))
        err = malice_only_us(&key_set, set.label, set.version);
    if (err_is_ok(err))
        err = make_package(&package, set.label.data + 1);
    if (err_is_ok(err)) {
        swapped.package = (ProtobufCBinaryData){package.len, package.data};
        swapped.key_set = (ProtobufCBinaryData){key_set.len, key_set.data};
        out.package = &swapped;
    }
    int written = __real_hearth_auth_connect_write(call, &out);
    buf_clear(&package);
    buf_clear(&key_set);
    return written;
}
