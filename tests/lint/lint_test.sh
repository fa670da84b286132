#!/usr/bin/env bash
# Shows that the rules of lint.sh find what they are for: each is run over a small tree with one offence.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
count=0

# A tree with nothing to find.
prepare() {
    rm -rf "${tree:?}"/* && mkdir -p "$tree/tests/lint" "$tree/common/base"
    cp "$here/lint.sh" "$here/README.md" "$tree/tests/lint/"
    cp "$here/../../.clang-format" "$tree/"
    echo '# nothing' >"$tree/tests/lint/allowed"
    echo '# base' >"$tree/common/base/README.md"
    printf '/* Good. */\nint good(void);\n' >"$tree/common/base/good.h"
    [ -d "$tree/.git" ] || git -C "$tree" init -q
}

# expect VERDICT RULE PATH CONTENT: what the rule says about a tree with this one file added.
expect() {
    local verdict=$1 rule=$2 path=$3 content=$4 output
    prepare
    mkdir -p "$(dirname "$tree/$path")"
    printf '%b' "$content" >"$tree/$path"
    output=$("$tree/tests/lint/lint.sh" "$rule" 2>&1) || true
    count=$((count + 1))
    if grep -q "^lint: $rule .* $verdict" <<<"$output"; then
        echo "ok $count - $rule::$path"
    else
        echo "not ok $count - $rule::$path"
        failed=1
    fi
}

failed=0
base=common/base/x.c
intro='/* X. */\n'
expect ok functions "$base" "${intro}int a = 1;\n"
expect FAILED format "$base" "${intro}int  a ;\n"
expect FAILED functions "$base" "${intro}void f(char *a) { strcpy(a, \"\"); }\n"
expect FAILED results "$base" "${intro}return (struct kw_result){KW_E_SYSTEM};\n"
expect FAILED memcmp "$base" "${intro}int r = memcmp(a, b, 16);\n"
expect FAILED memcmp tests/lint/allowed "memcmp $base 1 no longer there\n"
expect FAILED sql services/authz/x.c "${intro}int n = snprintf(q, 9, \"SELECT a FROM b WHERE c = '%s'\", c);\n"
expect FAILED sql services/authz/x.c "${intro}int n = sqlite3_exec(db, q, 0, 0, 0);\n"
expect FAILED sql services/authz/x.c "${intro}r = kw_sql(tx, kw_arena_printf(a, q), &s, err);\n"
expect ok sql services/authz/x.c "${intro}static const char q[] = \"SELECT a FROM b WHERE c = \$1\";\n"
expect FAILED unfinished "$base" "${intro}/* TO""DO: later */\n"
expect FAILED citations "$base" "${intro}/* As design"".md says. */\n"
expect FAILED citations common/base/README.md "# base\nThe algorithms of design"" §5.\n"
expect ok citations "$base" "${intro}/* As docs/formats.md says. */\n"
expect FAILED comments "$base" "${intro}int a; // why\n"
expect ok comments "$base" "${intro}const char *a = \"spiffe://x\";\n"
expect FAILED typedefs "$base" "${intro}typedef struct kw_a kw_a;\n"
expect FAILED sleeps tests/unit/x_test.c "${intro}void f(void) { sleep(1); }\n"
expect FAILED sleeps tests/unit/x.sh "#!/bin/sh\nsleep 1\n"
expect FAILED libraries "$base" "${intro}#include <sqlite3.h>\n"
expect FAILED libraries common/store/x.c "${intro}#include <libpq-fe.h>\n"
expect FAILED libraries services/authz/x.c "${intro}#include <grpc/grpc.h>\n"
expect ok libraries common/store/sqlite/x.c "${intro}#include <sqlite3.h>\n"
expect FAILED layers "$base" "${intro}#include \"common/loop/loop.h\"\n"
expect FAILED layers common/store/x.c "${intro}#include \"common/rpc/hop.h\"\n"
expect FAILED layers services/authz/x.c "${intro}#include \"services/gateway/x.h\"\n"
expect FAILED layers sdk/pen/x.c "${intro}#include \"common/base/bytes.h\"\n"
expect ok layers services/authz/x.c "${intro}#include \"services/authz/y.h\"\n#include \"common/audit/x.h\"\n"
expect FAILED function_length "$base" "${intro}void f(void)\n{\n$(printf '    g();\\n%.0s' {1..70})}\n"
expect FAILED file_length "$base" "${intro}$(printf 'int a;\\n%.0s' {1..800})"
expect FAILED introduction "$base" '#include <x.h>\n'
expect FAILED readme common/loop/x.c "$intro"
expect FAILED shell x.sh "#!/bin/sh\nrm \$1\n"
echo "1..$count"
exit "$failed"
