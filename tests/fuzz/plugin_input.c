/* protoc-gen-hearth over any bytes: no crash, no leak, bounded output, and what comes out is a
 * response. */
#include <stdlib.h>

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "proto/plugin/plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buf response = {.limit = PLUGIN_RESPONSE_BYTES};
    struct err err = plugin_run(bytes_of(data, len), &response);
    if (err_is_ok(err)) {
        Google__Protobuf__Compiler__CodeGeneratorResponse *decoded =
            google__protobuf__compiler__code_generator_response__unpack(NULL, response.len,
                                                                        response.data);
        if (decoded == NULL || (decoded->error != NULL && decoded->n_file > 0))
            abort();
        google__protobuf__compiler__code_generator_response__free_unpacked(decoded, NULL);
    } else if (response.len != 0) {
        abort();
    }
    buf_clear(&response);
    if (err_is_ok(plugin_strip_services(bytes_of(data, len), &response)) && response.len > len)
        abort();
    buf_clear(&response);
    return 0;
}
