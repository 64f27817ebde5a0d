/* protoc-gen-hearth: protoc's request on stdin, files to write on stdout (proto/plugin/plugin.h).
 */
#include <stdio.h>
#include <string.h>

#include "proto/plugin/plugin.h"

static CHECKED struct err read_all(FILE *in, struct buf *ret_request)
{
    enum { STEP = 64 * 1024 };
    ret_request->limit = PLUGIN_REQUEST_BYTES + STEP;
    for (;;) {
        uint8_t *room = buf_extend(ret_request, STEP);
        if (room == NULL)
            return buf_check(ret_request);
        size_t got = fread(room, 1, STEP, in);
        ret_request->len -= STEP - got;
        if (got < STEP)
            return ferror(in) ? ERR(IO) : ERR_OK;
    }
}

static int usage(FILE *out)
{
    fprintf(out, "protoc-gen-hearth: run by protoc, with --hearth_out=[OPTION,...:]FOLDER beside "
                 "--c_out=FOLDER\n"
                 "  policy=required  every rpc declares (hearth.policy) (default)\n"
                 "  policy=optional  for .proto files that know nothing of Hearth\n"
                 "  docs=FOLDER      write pages of Markdown into FOLDER instead of code\n"
                 "protoc-gen-hearth --strip-services: a filter before protoc-gen-c "
                 "(proto/protoc-gen-messages)\n");
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    bool strips = argc == 2 && strcmp(argv[1], "--strip-services") == 0;
    if (argc > 1 && !strips)
        return usage(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
    struct buf request = BUF_INIT;
    struct buf response = {.limit = PLUGIN_RESPONSE_BYTES};
    struct err err = read_all(stdin, &request);
    if (err_is_ok(err))
        err = strips ? plugin_strip_services(buf_view(&request), &response)
                     : plugin_run(buf_view(&request), &response);
    if (err_is_ok(err) &&
        (fwrite(response.data, 1, response.len, stdout) != response.len || fflush(stdout) != 0))
        err = ERR(IO);
    if (!err_is_ok(err))
        fprintf(stderr, "protoc-gen-hearth: %s\n", err_text(err));
    buf_clear(&request);
    buf_clear(&response);
    return err_is_ok(err) ? 0 : 1;
}
