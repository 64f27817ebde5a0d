/* Paths of broken field rules, built from the inside out while the generated validators return. */
#include <stdio.h>
#include <string.h>

#include "hearth/rpc.h"

bool hearth_rule_break(struct hearth_broken_rule *broken, const char *field, const char *text)
{
    snprintf(broken->path, sizeof broken->path, "%s", field);
    broken->text = text;
    return false;
}

/* Puts `outer` and, unless the path is empty, a dot before the path. The innermost part says most
 * about what is wrong, so it is the front that gives way when there is no room. */
static bool put_before(struct hearth_broken_rule *broken, const char *outer)
{
    enum { ROOM = sizeof broken->path - 1, DOTS = 3 };
    size_t outer_len = strlen(outer);
    size_t inner_len = strlen(broken->path);
    size_t dot_len = inner_len == 0 || broken->path[0] == '[' ? 0 : 1;
    bool cut = outer_len + dot_len + inner_len > ROOM;
    size_t keep_inner = cut && inner_len > ROOM - DOTS ? ROOM - DOTS : inner_len;
    size_t left = ROOM - (cut ? DOTS : 0) - keep_inner;
    size_t keep_dot = dot_len < left ? dot_len : left;
    left -= keep_dot;
    size_t keep_outer = outer_len < left ? outer_len : left;

    size_t inner_at = (cut ? DOTS : 0) + keep_outer + keep_dot;
    memmove(broken->path + inner_at, broken->path + inner_len - keep_inner, keep_inner);
    broken->path[inner_at + keep_inner] = '\0';
    memset(broken->path + inner_at - keep_dot, '.', keep_dot);
    memcpy(broken->path + inner_at - keep_dot - keep_outer, outer + outer_len - keep_outer,
           keep_outer);
    if (cut)
        memset(broken->path, '.', DOTS);
    return false;
}

bool hearth_rule_in(struct hearth_broken_rule *broken, const char *field)
{
    return put_before(broken, field);
}

bool hearth_rule_at(struct hearth_broken_rule *broken, const char *field, size_t index)
{
    char element[24];
    snprintf(element, sizeof element, "[%zu]", index);
    put_before(broken, element);
    return put_before(broken, field);
}
