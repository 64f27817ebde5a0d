/* X_rpc.c: field rules as straight code, one function per message. */
#include "proto/plugin/emit.h"
#include "proto/plugin/names.h"

#include <inttypes.h>
#include <stdio.h>

/* Where a value is and how its breach is reported. */
struct value {
    char expression[512]; /* "message->group_id", "message->ids[i]" */
    const char *indent;
    const struct model_field *field;
};

static void put_break(const struct value *value, const char *condition, const char *text,
                      struct buf *out)
{
    const struct model_field *field = value->field;
    text_printf(out, "%sif (%s)", value->indent, condition);
    if (field->repeated) {
        text_printf(out, " {\n%s    hearth_rule_break(ret_broken, \"\", \"%s\");\n", value->indent,
                    text);
        text_printf(out, "%s    return hearth_rule_at(ret_broken, \"%s\", i);\n%s}\n",
                    value->indent, field->proto->name, value->indent);
    } else {
        text_printf(out, "\n%s    return hearth_rule_break(ret_broken, \"%s\", \"%s\");\n",
                    value->indent, field->proto->name, text);
    }
}

static void put_sizes(const struct value *value, struct buf *out)
{
    const Hearth__Rule *rule = value->field->rule;
    char len[600];
    char condition[700];
    char text[64];
    snprintf(len, sizeof len, value->field->kind == KIND_BYTES ? "%s.len" : "strlen(%s)",
             value->expression);
    const struct {
        uint32_t limit;
        const char *operator;
        const char *words;
    } rows[] = {{rule->exact_bytes, "!=", "must be"},
                {rule->min_bytes, "<", "must be at least"},
                {rule->max_bytes, ">", "must be at most"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].limit == 0)
            continue;
        snprintf(condition, sizeof condition, "%s %s %" PRIu32 "u", len, rows[i].operator,
                 rows[i].limit);
        snprintf(text, sizeof text, "%s %" PRIu32 " byte%s", rows[i].words, rows[i].limit,
                 rows[i].limit == 1 ? "" : "s");
        put_break(value, condition, text, out);
    }
}

/* The limits are whole and not negative: below 0 is below min and never above max. */
static void put_numbers(const struct value *value, struct buf *out)
{
    const struct model_field *field = value->field;
    const Hearth__Rule *rule = field->rule;
    const char *at = value->expression;
    char condition[1200];
    char text[64];
    if (rule->min != 0) {
        if (field->kind == KIND_SIGNED)
            snprintf(condition, sizeof condition, "%s < 0 || (uint64_t)%s < UINT64_C(%" PRIu64 ")",
                     at, at, rule->min);
        else if (field->kind == KIND_FLOAT) /* so that NaN breaks it */
            snprintf(condition, sizeof condition, "!((double)%s >= %" PRIu64 ".0)", at, rule->min);
        else
            snprintf(condition, sizeof condition, "%s < UINT64_C(%" PRIu64 ")", at, rule->min);
        snprintf(text, sizeof text, "must be at least %" PRIu64, rule->min);
        put_break(value, condition, text, out);
    }
    if (rule->max != 0 && rule->max != field->largest) {
        if (field->kind == KIND_SIGNED)
            snprintf(condition, sizeof condition, "%s > 0 && (uint64_t)%s > UINT64_C(%" PRIu64 ")",
                     at, at, rule->max);
        else if (field->kind == KIND_FLOAT)
            snprintf(condition, sizeof condition, "!((double)%s <= %" PRIu64 ".0)", at, rule->max);
        else
            snprintf(condition, sizeof condition, "%s > UINT64_C(%" PRIu64 ")", at, rule->max);
        snprintf(text, sizeof text, "must be at most %" PRIu64, rule->max);
        put_break(value, condition, text, out);
    }
}

static void put_known(const struct model *model, const struct value *value, struct buf *out)
{
    char *symbol = name_symbol(model->request->arena, value->field->enumeration->full_name);
    char condition[4096];
    if (symbol == NULL) {
        out->failed = true;
        return;
    }
    snprintf(condition, sizeof condition,
             "protobuf_c_enum_descriptor_get_value(&%s__descriptor, (int)%s) == NULL", symbol,
             value->expression);
    put_break(value, condition, "must be a value that the .proto names", out);
}

/* Rules that hold for each element of a repeated field. */
static void put_element(const struct model *model, const struct value *value, struct buf *out)
{
    const struct model_field *field = value->field;
    if (field->rule != NULL) {
        put_sizes(value, out);
        put_numbers(value, out);
        if (field->rule->known_enum)
            put_known(model, value, out);
    }
    if (field->message == NULL || !field->message->checked)
        return;
    text_printf(out, "%sif (%s%s%s__check(%s, depth - 1, ret_broken))\n", value->indent,
                field->repeated ? "" : value->expression, field->repeated ? "!" : " != NULL && !",
                field->message->c_symbol, value->expression);
    text_printf(out, "%s    return hearth_rule_%s(ret_broken, \"%s\"%s);\n", value->indent,
                field->repeated ? "at" : "in", field->proto->name, field->repeated ? ", i" : "");
}

static bool has_element_rules(const struct model_field *field)
{
    const Hearth__Rule *rule = field->rule;
    bool own =
        rule != NULL && (rule->exact_bytes != 0 || rule->min_bytes != 0 || rule->max_bytes != 0 ||
                         rule->min != 0 || rule->max != 0 || rule->known_enum);
    return own || (field->message != NULL && field->message->checked);
}

static void put_repeated(const struct model *model, const struct model_field *field,
                         struct buf *out)
{
    const Hearth__Rule *rule = field->rule;
    const char *name = field->proto->name;
    if (rule != NULL && rule->min_items != 0)
        text_printf(out,
                    "    if (message->n_%s < %" PRIu32
                    "u)\n        return hearth_rule_break(ret_broken, \"%s\", "
                    "\"must have at least %" PRIu32 " element%s\");\n",
                    field->c_name, rule->min_items, name, rule->min_items,
                    rule->min_items == 1 ? "" : "s");
    if (rule != NULL && rule->max_items != 0)
        text_printf(out,
                    "    if (message->n_%s > %" PRIu32
                    "u)\n        return hearth_rule_break(ret_broken, \"%s\", "
                    "\"must have at most %" PRIu32 " element%s\");\n",
                    field->c_name, rule->max_items, name, rule->max_items,
                    rule->max_items == 1 ? "" : "s");
    if (!has_element_rules(field))
        return;
    struct value value = {.indent = "        ", .field = field};
    snprintf(value.expression, sizeof value.expression, "message->%s[i]", field->c_name);
    text_printf(out, "    for (size_t i = 0; i < message->n_%s; i++) {\n", field->c_name);
    put_element(model, &value, out);
    text_put(out, "    }\n");
}

static void put_required(const struct model_field *field, struct buf *out)
{
    const char *at = field->c_name;
    char condition[700];
    if (field->one_of != NULL) {
        text_printf(out,
                    "    if ((int)message->%s_case == 0)\n        return "
                    "hearth_rule_break(ret_broken, \"%s\", \"one "
                    "of its members must be set\");\n",
                    field->one_of_c, field->one_of);
        return;
    }
    if (field->kind == KIND_MESSAGE)
        snprintf(condition, sizeof condition, "message->%s == NULL", at);
    else if (field->kind == KIND_STRING)
        snprintf(condition, sizeof condition, "message->%s == NULL || message->%s[0] == '\\0'", at,
                 at);
    else if (field->kind == KIND_BYTES)
        snprintf(condition, sizeof condition, "message->%s.len == 0", at);
    else if (field->has_presence)
        snprintf(condition, sizeof condition, "!message->has_%s", at);
    else if (field->kind == KIND_FLOAT) /* without comparing floats by == */
        snprintf(condition, sizeof condition, "!(message->%s < 0 || message->%s > 0)", at, at);
    else
        snprintf(condition, sizeof condition, "message->%s == 0", at);
    struct value value = {.indent = "    ", .field = field};
    put_break(&value, condition, "must be set", out);
}

/* What tells that a single field is there at all; "" where proto3 has no difference between unset
 * and zero, so that the rule holds for zero too. */
static void presence(const struct model_field *field, char *ret_condition, size_t size)
{
    ret_condition[0] = '\0';
    if (field->one_of != NULL)
        snprintf(ret_condition, size, "(int)message->%s_case == %" PRId32, field->one_of_c,
                 field->proto->number);
    else if (field->has_presence)
        snprintf(ret_condition, size, "message->has_%s", field->c_name);
    else if (field->kind == KIND_STRING) /* proto2's unset string */
        snprintf(ret_condition, size, "message->%s != NULL", field->c_name);
}

static void put_single(const struct model *model, const struct model_field *field, struct buf *out)
{
    if (field->rule != NULL && field->rule->required)
        put_required(field, out);
    if (!has_element_rules(field))
        return;
    char condition[700];
    presence(field, condition, sizeof condition);
    bool guarded = condition[0] != '\0';
    struct value value = {.indent = guarded ? "        " : "    ", .field = field};
    snprintf(value.expression, sizeof value.expression, "message->%s", field->c_name);
    if (guarded)
        text_printf(out, "    if (%s) {\n", condition);
    put_element(model, &value, out);
    if (guarded)
        text_put(out, "    }\n");
}

static void put_check(const struct model *model, const struct model_message *message,
                      struct buf *out)
{
    text_printf(out, "\nbool %s__check(const %s *message, unsigned depth,\n", message->c_symbol,
                message->c_type);
    text_put(out, "    struct hearth_broken_rule *ret_broken)\n{\n"
                  "    if (depth == 0)\n"
                  "        return hearth_rule_break(ret_broken, \"\", \"lies too deep\");\n");
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (field->repeated)
            put_repeated(model, field, out);
        else
            put_single(model, field, out);
    }
    text_put(out, "    return true;\n}\n");
}

void emit_checks(const struct model *model, const struct model_file *file, struct buf *out)
{
    for (size_t i = 0; i < model->request->type_count; i++) {
        const struct model_message *message = emit_checked(model, file, i);
        if (message != NULL)
            put_check(model, message, out);
    }
}
