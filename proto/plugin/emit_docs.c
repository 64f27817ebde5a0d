/* The protocol as a page of Markdown. */
#include "proto/plugin/emit.h"

void emit_docs(const struct model *model, const char *package, struct buf *out)
{
    (void)model;
    text_printf(out, "# %s\n", package);
}
