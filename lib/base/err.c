#include "base/err.h"

struct err_row {
    const char *name;
    enum err_class class;
    int grpc;
    bool retry;
    const char *text;
};

static const struct err_row rows[ERR_CODE_COUNT] = {
#define ERR_ROW(name, class, grpc, retry, text) \
    [ERR_##name] = {#name, ERR_CLASS_##class, grpc, retry, text},
#include "base/err.def"
#undef ERR_ROW
};

const char *err_name(struct err e)
{
    return rows[e.code].name;
}

const char *err_text(struct err e)
{
    return rows[e.code].text;
}

enum err_class err_class_of(struct err e)
{
    return rows[e.code].class;
}

int err_grpc_status(struct err e)
{
    return rows[e.code].grpc;
}

bool err_retry(struct err e)
{
    return rows[e.code].retry;
}
