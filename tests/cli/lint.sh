#!/bin/sh
# `heddle lint` over the sample shop: findings, exit codes, checks switched off, refusals.
bad=0
say() {
	echo "$1" >&2
	bad=1
}
manifest=$ROOT/samples/shop/manifests/before/manifest.json

want() { # want EXIT_CODE ARGUMENT...: standard input is what it must print
	code=$1
	shift
	cat >want
	"$HEDDLE" lint --manifest "$manifest" "$@" >got 2>err
	got=$?
	[ $got = "$code" ] || say "lint $*: exit $got, not $code: $(cat err)"
	diff want got >differs || say "lint $*: wanted is <, got is >
$(cat differs)"
}

want 1 <<'END'
models/marts/product_sales_v1.sql: model.shop.product_sales.v1: no node and no exposure reads it [dead-end]
models/marts/visitors.sql: model.shop.visitors: no node and no exposure reads it [dead-end]
2 findings: 2 dead-end
END
want 0 --off dead-end </dev/null
want 0 --only test-cycle unread </dev/null
want 1 --select orders --indirect-selection cautious --off dead-end <<'END'
tests/payments_belong_to_orders.sql: test.shop.payments_belong_to_orders: it also reads 'model.shop.stg_payments', which the selection leaves out [test-not-run]
1 finding: 1 test-not-run
END
want 1 --select visitors --output json <<'END'
[
  {"code": "dead-end", "unique_id": "model.shop.visitors", "original_file_path": "models/marts/visitors.sql", "others": [], "message": "no node and no exposure reads it"}
]
END
want 0 --select customers --output json <<'END'
[]
END
want 2 --off dead-ends </dev/null
grep -q "did you mean 'dead-end'?" err || say "no hint: $(cat err)"
want 2 --output xml </dev/null
want 2 --select colour:red </dev/null
exit $bad
